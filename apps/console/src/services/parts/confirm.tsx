import { type ReactNode, useId, useLayoutEffect, useRef, useState } from 'react'
import { Trouble } from '../../parts/basics.tsx'

/** Says in words what would happen, and asks. Closes itself once `act` has succeeded. */
export function Confirm({
  title,
  label,
  grave = true,
  children,
  act,
  onClose,
}: {
  title: string
  /** What the button says: the deed. */
  label: string
  grave?: boolean
  children: ReactNode
  act: () => Promise<unknown>
  onClose: () => void
}) {
  const dialog = useRef<HTMLDialogElement>(null)
  const id = useId()
  const [error, setError] = useState<unknown>(null)
  const [sending, setSending] = useState(false)
  useLayoutEffect(() => {
    const element = dialog.current!
    element.showModal()
    element.querySelector<HTMLElement>(grave ? '[type=button]' : '[type=submit]')?.focus()
    // Closed before it is taken away, so that the focus goes back to where it was.
    return () => element.close()
  }, [grave])
  const go = async () => {
    setSending(true)
    setError(null)
    try {
      await act()
      onClose()
    } catch (trouble) {
      setError(trouble)
      setSending(false)
    }
  }
  return (
    <dialog
      ref={dialog}
      className="dialog"
      onCancel={(event) => {
        event.preventDefault()
        onClose()
      }}
      aria-labelledby={id}
    >
      <form
        onSubmit={(event) => {
          event.preventDefault()
          void go()
        }}
      >
        <h2 id={id}>{title}</h2>
        <div className="dialog-text">{children}</div>
        {error !== null && <Trouble error={error} />}
        <div className="dialog-actions">
          <button type="button" className="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" className={`button button-${grave ? 'danger' : 'primary'}`} disabled={sending}>
            {sending ? 'One moment…' : label}
          </button>
        </div>
      </form>
    </dialog>
  )
}
