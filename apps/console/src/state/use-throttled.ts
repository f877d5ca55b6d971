import { useEffect, useRef, useState } from 'react'

/** The latest value, but a new one at most every `everyMs`. */
export function useThrottled<T>(value: T, everyMs: number): T {
  const [shown, setShown] = useState(value)
  const shownAt = useRef(Date.now())
  useEffect(() => {
    const show = () => {
      shownAt.current = Date.now()
      setShown(value)
    }
    const timer = setTimeout(show, Math.max(0, shownAt.current + everyMs - Date.now()))
    return () => clearTimeout(timer)
  }, [value, everyMs])
  return shown
}
