import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

/** WCAG 2.2 AA for text of ordinary size. */
const ratioMin = 4.5

const css = readFileSync(join(import.meta.dirname, '..', 'src', 'theme', 'tokens.css'), 'utf8')
const themes = { light: coloursOf(':root {'), dark: coloursOf(':root[data-theme="dark"] {') }

for (const [theme, colours] of Object.entries(themes)) {
  test(`every text on every ground it stands on can be read, ${theme}`, () => {
    const grounds = ['page', 'surface', 'surface-2']
    const tones = ['accent', 'source', 'target', 'good', 'warn', 'bad']
    const pairs = [
      ...['text', 'text-2', 'text-3', ...tones].flatMap((text) => grounds.map((ground) => [text, ground] as const)),
      ...tones.flatMap((tone) => ['text', 'text-2', 'text-3', tone].map((text) => [text, `${tone}-soft`] as const)),
      ['accent-text', 'accent'] as const,
    ]
    const low = pairs.flatMap(([text, ground]) => {
      const ratio = contrast(colours.get(text)!, colours.get(ground)!)
      return ratio < ratioMin ? [`${text} on ${ground}: ${ratio.toFixed(2)}`] : []
    })
    assert.deepEqual(low, [])
  })
}

function coloursOf(selector: string): Map<string, string> {
  const start = css.indexOf(selector)
  const block = css.slice(start, css.indexOf('}', start))
  return new Map([...block.matchAll(/--([\w-]+): (#[0-9a-f]{6})/g)].map((match) => [match[1]!, match[2]!]))
}

function contrast(one: string, other: string): number {
  const [darker, lighter] = [luminance(one), luminance(other)].sort((a, b) => a - b)
  return (lighter! + 0.05) / (darker! + 0.05)
}

function luminance(colour: string): number {
  const [red, green, blue] = [1, 3, 5].map((at) => {
    const share = Number.parseInt(colour.slice(at, at + 2), 16) / 255
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * red! + 0.7152 * green! + 0.0722 * blue!
}
