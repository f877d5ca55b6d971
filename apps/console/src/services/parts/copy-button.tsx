import { useEffect, useRef, useState } from 'react'

const saidMs = 2_000

/** Copies `text()` to the clipboard and says so, also to who can't see it. */
export function CopyButton({ text, what, primary = false }: { text: () => string; what: string; primary?: boolean }) {
  const [said, setSaid] = useState<'copied' | 'failed' | null>(null)
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined)
  useEffect(() => () => clearTimeout(timer.current), [])
  const copy = async () => {
    const done = await copyText(text())
    setSaid(done ? 'copied' : 'failed')
    clearTimeout(timer.current)
    timer.current = setTimeout(() => setSaid(null), saidMs)
  }
  return (
    <button
      type="button"
      className={`button button-small${primary ? ' button-primary' : ''}`}
      aria-label={`Copy ${what}`}
      onClick={() => void copy()}
    >
      {said === 'copied' ? 'Copied ✓' : said === 'failed' ? 'Select it' : 'Copy'}
      <span className="unseen" aria-live="polite">
        {said === 'copied' ? `${what} copied` : said === 'failed' ? 'The browser forbids copying' : ''}
      </span>
    </button>
  )
}

async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    // Pages that don't come by https or from this machine have no clipboard; the old way works there.
    const area = document.createElement('textarea')
    area.value = text
    area.style.position = 'fixed'
    area.style.opacity = '0'
    document.body.append(area)
    area.select()
    const done = document.execCommand('copy')
    area.remove()
    return done
  }
}
