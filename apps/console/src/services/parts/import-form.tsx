import { type ChangeEvent, useId, useRef, useState } from 'react'
import { ApiError } from '../../api/client.ts'
import { Trouble } from '../../parts/basics.tsx'
import { bytes } from '../../words.ts'
import type { Imported } from '../contract.ts'
import { write } from '../requests.ts'

/** What the server takes; larger ones are refused before they are sent. */
const fileBytesMax = 8 * 1000 * 1000
const importedBefore = 'CF12039'
const pastedName = 'what was pasted'

interface Chosen {
  readonly name: string
  readonly text: string
  readonly size: number
}

/** Asks for a description, as a file or pasted, and imports it; `replacing` another version of what is there. */
export function ImportForm({
  replacing,
  isAdmin,
  onDone,
  onCancel,
}: {
  replacing: Imported | null
  isAdmin: boolean
  onDone: (imported: Imported) => void
  onCancel?: () => void
}) {
  const id = useId()
  const picker = useRef<HTMLInputElement>(null)
  const [file, setFile] = useState<Chosen | null>(null)
  const [pasted, setPasted] = useState('')
  const [name, setName] = useState('')
  const [forAll, setForAll] = useState(false)
  const [error, setError] = useState<unknown>(null)
  const [sending, setSending] = useState(false)
  const mayReplace = error instanceof ApiError && error.problem.code === importedBefore

  const choose = async (event: ChangeEvent<HTMLInputElement>) => {
    const [given] = event.target.files ?? []
    // The same file can be chosen again after it was changed.
    event.target.value = ''
    if (!given) return
    setError(null)
    if (given.size > fileBytesMax) {
      const message = `${given.name} has ${bytes(given.size)}; ${bytes(fileBytesMax)} are taken.`
      setError(new ApiError(0, { code: 'TOO_LARGE', message, remedy: 'Leave out what you don’t need.', retry: false }))
      return
    }
    setFile({ name: given.name.slice(0, 200), text: await given.text(), size: given.size })
  }
  const send = async (replace: boolean) => {
    setSending(true)
    setError(null)
    try {
      const serviceType = replacing?.serviceType ?? name.trim()
      const done = await write<Imported>('POST', '/imports', {
        text: file?.text ?? pasted,
        fileName: file?.name ?? pastedName,
        ...(serviceType !== '' && { serviceType }),
        ...((replacing ? replacing.audience === 'everybody' : forAll) && { audience: 'everybody' }),
        ...((replacing !== null || replace) && { replace: true }),
      })
      onDone(done)
    } catch (trouble) {
      setError(trouble)
      setSending(false)
    }
  }
  return (
    <form
      className="form"
      onSubmit={(event) => {
        event.preventDefault()
        void send(false)
      }}
    >
      <p className="muted">
        An OpenAPI description (JSON or YAML) of any API, or the <code>server.json</code> of a remote MCP server, as
        registries list them.
      </p>
      <div className="import-file">
        <input
          ref={picker}
          type="file"
          hidden
          accept=".json,.yaml,.yml,application/json,application/yaml"
          onChange={(event) => void choose(event)}
        />
        <button type="button" className="button" onClick={() => picker.current?.click()}>
          {file === null ? 'Choose a file' : 'Choose another file'}
        </button>
        {file !== null && (
          <>
            <span className="break">
              <strong>{file.name}</strong> <span className="muted small">{bytes(file.size)}</span>
            </span>
            <button type="button" className="button button-small" onClick={() => setFile(null)}>
              Paste instead
            </button>
          </>
        )}
      </div>
      {file === null && (
        <div className="field">
          <label htmlFor={`${id}-text`}>Or paste it</label>
          <textarea
            id={`${id}-text`}
            rows={7}
            value={pasted}
            placeholder={'openapi: 3.1.0\ninfo: { title: Orders, version: "1" }\n…'}
            spellCheck={false}
            onChange={(event) => setPasted(event.target.value)}
          />
        </div>
      )}
      {replacing === null && (
        <div className="field import-name">
          <label htmlFor={`${id}-name`}>Name (optional)</label>
          <input
            id={`${id}-name`}
            value={name}
            pattern="[a-z][a-z0-9_\-]{1,49}"
            title="Small letters, digits, - and _; 2 to 50 of them, a letter first"
            autoComplete="off"
            autoCapitalize="off"
            spellCheck={false}
            aria-describedby={`${id}-name-help`}
            onChange={(event) => setName(event.target.value)}
          />
          <span id={`${id}-name-help`} className="field-help">
            What stands in its addresses, such as <code>orders</code>. Without one it is made from the title.
          </span>
        </div>
      )}
      {isAdmin && replacing === null && (
        <label className="check">
          <input type="checkbox" checked={forAll} onChange={(event) => setForAll(event.target.checked)} />
          <span>For everybody on this server, not for me alone</span>
        </label>
      )}
      <div aria-live="polite">{error !== null && <Trouble error={error} />}</div>
      <div className="actions">
        {mayReplace ? (
          <button type="button" className="button button-primary" disabled={sending} onClick={() => void send(true)}>
            {sending ? 'Importing…' : 'Replace it'}
          </button>
        ) : (
          <button
            type="submit"
            className="button button-primary"
            disabled={sending || (file === null && pasted.trim() === '')}
          >
            {sending ? 'Importing…' : replacing ? 'Replace it' : 'Import'}
          </button>
        )}
        {onCancel && (
          <button type="button" className="button" disabled={sending} onClick={onCancel}>
            Cancel
          </button>
        )}
      </div>
      {replacing !== null && (
        <p className="muted small">Its address, key, tokens and port stay; tools that are no longer in it are gone.</p>
      )}
    </form>
  )
}
