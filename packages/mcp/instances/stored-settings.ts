// What a user chose for an instance, as it stands in the column `config`.
import { defaultSettings, type InstanceSettings } from './session.ts'

/**
 * Reads the column. Whatever is missing or of another kind is as `defaultSettings` has it: a legacy platform's configuration has other members. Instances without
 * choices of their own share one object.
 */
export function readSettings(config: unknown): InstanceSettings {
  if (typeof config !== 'object' || config === null || Array.isArray(config)) return defaultSettings
  const stored = config as Record<string, unknown>
  const variables = textsOf(stored['variables'])
  const tools = namesOf(stored['tools'])
  const excludedTools = namesOf(stored['excludedTools']) ?? []
  const overrides = overridesOf(stored['overrides'])
  const search = stored['search'] !== false
  const plain =
    tools === null &&
    excludedTools.length === 0 &&
    search &&
    Object.keys(variables).length === 0 &&
    Object.keys(overrides).length === 0
  return plain ? defaultSettings : { variables, tools, excludedTools, overrides, search }
}

function textsOf(value: unknown): Record<string, string> {
  if (typeof value !== 'object' || value === null) return {}
  return Object.fromEntries(
    Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  )
}

function namesOf(value: unknown): string[] | null {
  return Array.isArray(value) ? value.filter((name): name is string => typeof name === 'string') : null
}

function overridesOf(value: unknown): InstanceSettings['overrides'] {
  if (typeof value !== 'object' || value === null) return {}
  const read: Record<string, { title?: string; description?: string }> = {}
  for (const [tool, texts] of Object.entries(value)) {
    const { title, description } = textsOf(texts) as { title?: string; description?: string }
    read[tool] = { ...(title !== undefined && { title }), ...(description !== undefined && { description }) }
  }
  return read
}
