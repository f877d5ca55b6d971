import { createContext, type ReactNode, useCallback, useContext, useState } from 'react'
import type { Tone } from '../words.ts'

interface Toast {
  readonly id: number
  readonly text: string
  readonly tone: Tone
}

/** Long enough to read a sentence. */
const shownMs = 6_000
const toastsMax = 4

const Say = createContext<(text: string, tone?: Tone) => void>(() => {})

/** Says in a corner what just happened; read aloud by screen readers. */
export function ToastProvider({ children }: { children: ReactNode }) {
  const [toasts, setToasts] = useState<readonly Toast[]>([])
  const dismiss = useCallback((id: number) => setToasts((all) => all.filter((toast) => toast.id !== id)), [])
  const say = useCallback(
    (text: string, tone: Tone = 'accent') => {
      const id = performance.now()
      setToasts((all) => [...all, { id, text, tone }].slice(-toastsMax))
      setTimeout(() => dismiss(id), shownMs)
    },
    [dismiss],
  )
  return (
    <Say value={say}>
      {children}
      <div className="toasts" role="status" aria-live="polite">
        {toasts.map((toast) => (
          <div key={toast.id} className={`toast tone-${toast.tone}`}>
            <span className="dot" />
            {toast.text}
            <button type="button" className="toast-close" aria-label="Dismiss" onClick={() => dismiss(toast.id)}>
              ×
            </button>
          </div>
        ))}
      </div>
    </Say>
  )
}

/** Says a sentence for a moment, at the edge of the page. */
export function useSay(): (text: string, tone?: Tone) => void {
  return useContext(Say)
}
