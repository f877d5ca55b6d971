import { useEffect, useState } from 'react'

/** A person who types is not done with a word before. */
const settleMs = 120

/** The value once it has rested for a moment. */
export function useSettled<T>(value: T): T {
  const [settled, setSettled] = useState(value)
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), settleMs)
    return () => clearTimeout(timer)
  }, [value])
  return settled
}
