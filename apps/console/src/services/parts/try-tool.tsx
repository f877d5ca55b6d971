import { type FormEvent, useId, useRef, useState } from 'react'
import { Badge, Card, Empty, Loading, Trouble } from '../../parts/basics.tsx'
import { useData } from '../../state/use-data.ts'
import type { CalledTool, ServiceDetail, ToolDetail, ToolSummary } from '../contract.ts'
import { write } from '../requests.ts'
import { type ArgumentField, argumentFields, parseJson, readArguments } from '../tool-form.ts'
import { useKept } from '../use-kept.ts'
import { useSettled } from '../use-settled.ts'
import { Confirm } from './confirm.tsx'
import { ToolResult } from './tool-result.tsx'

/** How many tools a search shows. */
const foundMax = 50

/** Calls a tool from the page, with the user's own key. */
export function TryTool({ service }: { service: ServiceDetail }) {
  const [search, setSearch] = useState('')
  const [chosen, setChosen] = useState<string | null>(service.tools.find((tool) => tool.listed)?.name ?? null)
  const settled = useSettled(search)
  const { data, error } = useKept<{ tools: readonly ToolSummary[] }>(
    `/services/${service.serviceType}/tools?${new URLSearchParams({ search: settled, limit: String(foundMax) })}`,
  )
  const tools = data?.tools.filter((tool) => !tool.excluded) ?? []
  if (service.operations === 0) return <NoOperations service={service} />
  return (
    <div className="try">
      <Card title="Tool" flush>
        <div className="try-search">
          <input
            type="search"
            className="search"
            placeholder={`Search ${service.operations.toLocaleString('en')} operations`}
            aria-label="Search tools"
            value={search}
            onChange={(event) => setSearch(event.target.value)}
          />
        </div>
        {error !== null && <Trouble error={error} />}
        <ul className="tool-list">
          {tools.map((tool) => (
            <li key={tool.name}>
              <button
                type="button"
                className="tool-choice"
                aria-pressed={tool.name === chosen}
                onClick={() => setChosen(tool.name)}
              >
                <code>{tool.name}</code>
                {tool.destructive && <Badge tone="warn">destroys</Badge>}
                <span className="muted small clamp">{tool.description}</span>
              </button>
            </li>
          ))}
          {data && tools.length === 0 && <li className="muted pad">No tool matches. Try another word.</li>}
        </ul>
      </Card>
      {chosen === null ? (
        <Empty title="Choose a tool">
          <p>It is called with your key, as an MCP client would call it.</p>
        </Empty>
      ) : (
        <OneTool key={chosen} serviceType={service.serviceType} name={chosen} />
      )}
    </div>
  )
}

/** Of a service that is an MCP server itself the catalog knows no tools. */
export function NoOperations({ service }: { service: ServiceDetail }) {
  return (
    <Empty title={`${service.displayName} tells its tools itself`}>
      <p>It is an MCP server: its tools show up in your client once its address is pasted there.</p>
    </Empty>
  )
}

function OneTool({ serviceType, name }: { serviceType: string; name: string }) {
  const { data, error } = useData<ToolDetail>(`/services/${serviceType}/tools/${encodeURIComponent(name)}`)
  return (
    <Card title={<code className="break">{name}</code>} aside={data && <Request tool={data} />}>
      {error !== null && <Trouble error={error} />}
      {!data && error === null && <Loading what="the tool" />}
      {data && <ToolForm serviceType={serviceType} tool={data} />}
    </Card>
  )
}

function Request({ tool }: { tool: ToolDetail }) {
  return (
    <code className="break">
      {tool.method} {tool.path}
    </code>
  )
}

function ToolForm({ serviceType, tool }: { serviceType: string; tool: ToolDetail }) {
  const fields = argumentFields(tool.inputSchema)
  const form = useRef<HTMLFormElement>(null)
  const [values, setValues] = useState<Readonly<Record<string, string>>>({})
  const [raw, setRaw] = useState<string | null>(null)
  const [wrong, setWrong] = useState<Readonly<Record<string, string>>>({})
  const [asking, setAsking] = useState<Record<string, unknown> | null>(null)
  const [calling, setCalling] = useState(false)
  const [called, setCalled] = useState<CalledTool | null>(null)
  const [error, setError] = useState<unknown>(null)
  const optional = fields.filter((field) => !field.required)

  const call = async (given: Record<string, unknown>) => {
    setCalling(true)
    setError(null)
    try {
      const path = `/services/${serviceType}/instance/tools/${encodeURIComponent(tool.name)}/call`
      setCalled(await write<CalledTool>('POST', path, { arguments: given }))
    } catch (trouble) {
      setError(trouble)
      setCalled(null)
    }
    setCalling(false)
  }
  const submit = (event: FormEvent) => {
    event.preventDefault()
    const read = raw === null ? readArguments(fields, values) : readRaw(raw)
    if ('wrong' in read) {
      setWrong(read.wrong)
      requestAnimationFrame(() => form.current?.querySelector<HTMLElement>('[aria-invalid=true]')?.focus())
      return
    }
    setWrong({})
    if (tool.annotations['destructiveHint']) setAsking(read.given)
    else void call(read.given)
  }
  const showRaw = () => {
    const read = readArguments(fields, values)
    setRaw(JSON.stringify('given' in read ? read.given : {}, null, 2))
    setWrong({})
  }
  const field = (one: ArgumentField) => (
    <OneArgument
      key={one.name}
      field={one}
      value={values[one.name] ?? ''}
      trouble={wrong[one.name]}
      onChange={(value) => setValues((before) => ({ ...before, [one.name]: value }))}
    />
  )
  return (
    <form ref={form} className="form" noValidate onSubmit={submit} autoComplete="off">
      <p className="tool-description">{tool.description}</p>
      {raw === null ? (
        <>
          {fields.filter((one) => one.required).map(field)}
          {optional.length > 0 && (
            <details open={optional.length === fields.length && optional.length <= 4}>
              <summary>
                {optional.length} optional argument{optional.length === 1 ? '' : 's'}
              </summary>
              <div className="form">{optional.map(field)}</div>
            </details>
          )}
          {fields.length === 0 && <p className="muted">It takes no arguments.</p>}
        </>
      ) : (
        <div className="field">
          <label htmlFor="raw-arguments">Arguments as JSON</label>
          <textarea
            id="raw-arguments"
            rows={8}
            value={raw}
            onChange={(event) => setRaw(event.target.value)}
            spellCheck={false}
            aria-invalid={wrong['JSON'] !== undefined}
          />
          <span className="field-help text-bad">{wrong['JSON']}</span>
        </div>
      )}
      <div className="actions">
        <button type="submit" className="button button-primary" disabled={calling}>
          {calling ? 'Calling…' : 'Call the tool'}
        </button>
        <button type="button" className="button" onClick={raw === null ? showRaw : () => setRaw(null)}>
          {raw === null ? 'Write JSON' : 'Fill in a form'}
        </button>
      </div>
      <div aria-live="polite">
        {error !== null && <Trouble error={error} />}
        {called && <ToolResult called={called} />}
      </div>
      {asking && (
        <Confirm title={`Call ${tool.name}?`} label="Call it" act={() => call(asking)} onClose={() => setAsking(null)}>
          <p>
            This tool may delete or overwrite something in your account. It is a real call: <Request tool={tool} />
          </p>
          <pre>{JSON.stringify(asking, null, 2)}</pre>
        </Confirm>
      )}
    </form>
  )
}

function readRaw(text: string): ReturnType<typeof readArguments> {
  const value = parseJson(text)
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
  return isObject ? { given: value as Record<string, unknown> } : { wrong: { JSON: 'This is no JSON object.' } }
}

function OneArgument({
  field,
  value,
  trouble,
  onChange,
}: {
  field: ArgumentField
  value: string
  trouble: string | undefined
  onChange: (value: string) => void
}) {
  const id = useId()
  const properties = {
    id,
    value,
    'aria-invalid': trouble !== undefined,
    'aria-describedby': `${id}-help`,
    required: field.required,
  }
  const choices = field.kind === 'boolean' ? ['true', 'false'] : field.choices
  return (
    <div className="field">
      <label htmlFor={id}>
        <code>{field.name}</code> <span className="muted small">{field.kind === 'text' ? '' : field.kind}</span>
      </label>
      {field.kind === 'json' ? (
        <textarea
          {...properties}
          rows={3}
          placeholder={field.placeholder}
          spellCheck={false}
          onChange={(event) => onChange(event.target.value)}
        />
      ) : choices.length > 0 ? (
        <select {...properties} onChange={(event) => onChange(event.target.value)}>
          <option value="">{field.required ? 'choose…' : 'not given'}</option>
          {choices.map((choice) => (
            <option key={choice} value={String(choice)}>
              {choice}
            </option>
          ))}
        </select>
      ) : (
        <input
          {...properties}
          inputMode={field.kind === 'text' ? 'text' : 'decimal'}
          placeholder={field.placeholder}
          autoComplete="off"
          spellCheck={false}
          onChange={(event) => onChange(event.target.value)}
        />
      )}
      <span id={`${id}-help`} className="field-help">
        {trouble ? <span className="text-bad">{trouble}</span> : field.description}
      </span>
    </div>
  )
}
