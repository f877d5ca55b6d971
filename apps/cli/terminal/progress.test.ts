import assert from 'node:assert/strict'
import { test } from 'node:test'
import { stripVTControlCharacters } from 'node:util'
import { progressDisplay } from './progress.ts'

function terminal(isTTY: boolean): { stream: NodeJS.WriteStream; text: () => string } {
  let text = ''
  const stream = { isTTY, columns: 60, rows: 10, write: (part: string) => (text += part) }
  return { stream: stream as unknown as NodeJS.WriteStream, text: () => text }
}

test('a terminal gets the panel drawn over the last one, no line wider or taller than it', () => {
  const { stream, text } = terminal(true)
  const display = progressDisplay(stream)
  display.show(`\x1b[31m${'x'.repeat(100)}\x1b[0m\nsecond`, 'unused')
  display.show(Array.from({ length: 30 }, (_, index) => `line ${index}`).join('\n'), 'unused')
  display.close()
  assert.match(text(), /\x1b\[2A/, 'two lines up before the second panel')
  const lines = stripVTControlCharacters(text()).split('\n')
  assert.ok(lines.every((line) => line.length <= 60))
  assert.equal(lines.filter((line) => line.startsWith('line ')).length, 9)
  assert.ok(text().endsWith('\x1b[?25h'), 'the cursor is shown again')
})

test('without a terminal plain lines are written, each once, and the last one always', () => {
  const { stream, text } = terminal(false)
  const display = progressDisplay(stream)
  for (const line of ['a', 'a', 'b', 'c']) display.show('panel', line)
  display.close()
  assert.equal(text(), 'a\nc\n')
})
