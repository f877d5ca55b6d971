import { useState } from 'react'
import { Badge, Card, Trouble } from '../../parts/basics.tsx'
import { useSay } from '../../state/toasts.tsx'
import type { ChangeInstance, Instance, ServiceDetail, ToolSummary } from '../contract.ts'
import { write } from '../requests.ts'
import { useKept } from '../use-kept.ts'
import { useSettled } from '../use-settled.ts'
import { plural } from '../words.ts'

/** The API keeps at most this many chosen tools. */
const chosenMax = 200
const foundMax = 100

type Settings = Instance['settings']

/** Which tools clients see, which nobody may call, and how they are described. Nothing holds before it is saved. */
export function ToolSelection({
  service,
  instance,
  onSaved,
}: {
  service: ServiceDetail
  instance: Instance
  onSaved: () => void
}) {
  const say = useSay()
  const [settings, setSettings] = useState<Settings>(instance.settings)
  const [search, setSearch] = useState('')
  const [only, setOnly] = useState<'listed' | 'excluded'>('listed')
  const [error, setError] = useState<unknown>(null)
  const [saving, setSaving] = useState(false)
  const settled = useSettled(search.trim())
  const found = useKept<{ tools: readonly ToolSummary[] }>(
    `/services/${service.serviceType}/tools?${new URLSearchParams({ search: settled, limit: String(foundMax) })}`,
  )
  const standing = service.tools.map((tool) => tool.name)
  const chosen = settings.tools ?? standing
  const isChanged = JSON.stringify(settings) !== JSON.stringify(instance.settings)
  const excluded = new Set(settings.excludedTools)
  const known = new Map([...service.tools, ...(found.data?.tools ?? [])].map((tool) => [tool.name, tool]))
  const names = settled
    ? (found.data?.tools.map((tool) => tool.name) ?? [])
    : only === 'excluded'
      ? settings.excludedTools
      : [...new Set([...standing, ...chosen])]

  const change = (changes: Partial<Settings>) => setSettings((before) => ({ ...before, ...changes }))
  const list = (name: string, on: boolean) =>
    change({ tools: on ? [...chosen, name] : chosen.filter((one) => one !== name) })
  const exclude = (name: string, on: boolean) =>
    change({
      excludedTools: on ? [...settings.excludedTools, name] : settings.excludedTools.filter((one) => one !== name),
    })
  const save = async () => {
    setSaving(true)
    setError(null)
    try {
      const { variables: _, ...changed } = settings
      await write('PATCH', `/services/${service.serviceType}/instance`, { settings: changed } satisfies ChangeInstance)
      say('Clients see the new selection.', 'good')
      onSaved()
    } catch (trouble) {
      setError(trouble)
      setSaving(false)
    }
  }
  const seen = chosen.filter((name) => !excluded.has(name)).length
  return (
    <div className="stack">
      <Card title="What clients see" aside={`${plural(seen, 'tool')} listed`} flush>
        <div className="selection-head">
          <input
            type="search"
            className="search"
            placeholder={`Search ${service.operations.toLocaleString('en')} operations to add`}
            aria-label="Search tools"
            value={search}
            onChange={(event) => setSearch(event.target.value)}
          />
          <div className="segments">
            <button
              type="button"
              className="segment"
              aria-pressed={only === 'listed'}
              onClick={() => setOnly('listed')}
            >
              Selection
            </button>
            <button
              type="button"
              className="segment"
              aria-pressed={only === 'excluded'}
              onClick={() => setOnly('excluded')}
            >
              Excluded ({excluded.size})
            </button>
          </div>
        </div>
        <label className="check pad">
          <input
            type="checkbox"
            checked={settings.search}
            onChange={(event) => change({ search: event.target.checked })}
          />
          <span>Clients may find and call the other operations by search, too</span>
        </label>
        {found.error !== null && <Trouble error={found.error} />}
        <ul className="tool-list tool-list-open">
          {names.map((name) => (
            <ToolRow
              key={name}
              name={name}
              tool={known.get(name)}
              isListed={chosen.includes(name)}
              isExcluded={excluded.has(name)}
              isFull={chosen.length >= chosenMax}
              override={settings.overrides[name]?.description ?? ''}
              onList={(on) => list(name, on)}
              onExclude={(on) => exclude(name, on)}
              onDescribe={(description) => change({ overrides: describe(settings.overrides, name, description) })}
            />
          ))}
          {names.length === 0 && (
            <li className="muted pad">
              {settled
                ? 'No operation matches.'
                : only === 'excluded'
                  ? 'Nothing is excluded. Exclude a tool and no client can call it.'
                  : 'No tool is listed.'}
            </li>
          )}
        </ul>
      </Card>
      {error !== null && <Trouble error={error} />}
      <div className="save-bar" data-changed={isChanged}>
        <span className="muted small" role="status">
          {isChanged
            ? 'Not saved yet'
            : settings.tools === null
              ? 'The selection of the catalog'
              : 'Your own selection'}
        </span>
        <span className="grow" />
        {settings.tools !== null && (
          <button type="button" className="button" onClick={() => change({ tools: null })}>
            Take the catalog’s
          </button>
        )}
        {isChanged && (
          <button type="button" className="button" onClick={() => setSettings(instance.settings)}>
            Discard
          </button>
        )}
        <button
          type="button"
          className="button button-primary"
          disabled={!isChanged || saving}
          onClick={() => void save()}
        >
          {saving ? 'Saving…' : 'Save'}
        </button>
      </div>
    </div>
  )
}

function ToolRow({
  name,
  tool,
  isListed,
  isExcluded,
  isFull,
  override,
  onList,
  onExclude,
  onDescribe,
}: {
  name: string
  tool: ToolSummary | undefined
  isListed: boolean
  isExcluded: boolean
  isFull: boolean
  override: string
  onList: (on: boolean) => void
  onExclude: (on: boolean) => void
  onDescribe: (description: string) => void
}) {
  const [isEditing, setEditing] = useState(false)
  return (
    <li className="tool-row">
      <label className="check">
        <input
          type="checkbox"
          checked={isListed && !isExcluded}
          disabled={isExcluded || (!isListed && isFull)}
          onChange={(event) => onList(event.target.checked)}
        />
        <code className="break">{name}</code>
      </label>
      <span className="tool-marks">
        {tool?.destructive && <Badge tone="warn">destroys</Badge>}
        {isExcluded && <Badge tone="bad">excluded</Badge>}
        {override && <Badge tone="accent">reworded</Badge>}
      </span>
      <span className="tool-actions">
        <button type="button" className="link small" aria-expanded={isEditing} onClick={() => setEditing(!isEditing)}>
          {isEditing ? 'Close' : 'Reword'}
          <span className="unseen"> {name}</span>
        </button>
        <button type="button" className="link small" onClick={() => onExclude(!isExcluded)}>
          {isExcluded ? 'Allow' : 'Exclude'}
          <span className="unseen"> {name}</span>
        </button>
      </span>
      <span className="tool-text muted small clamp">{override || tool?.description}</span>
      {isEditing && (
        <label className="field tool-edit">
          Description for clients
          <textarea
            rows={3}
            maxLength={2000}
            value={override}
            placeholder={tool?.description}
            onChange={(event) => onDescribe(event.target.value)}
          />
        </label>
      )}
    </li>
  )
}

/** An empty description leaves the service's own. */
function describe(overrides: Settings['overrides'], name: string, description: string): Settings['overrides'] {
  const { [name]: before, ...rest } = overrides
  const { description: _, ...others } = before ?? {}
  const own = { ...others, ...(description.trim() && { description }) }
  return Object.keys(own).length > 0 ? { ...rest, [name]: own } : rest
}
