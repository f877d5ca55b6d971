import assert from 'node:assert/strict'
import { test } from 'node:test'
import { rung, type Stage, stages } from '@crossfade/model/stage.ts'
import { testSeed } from '@crossfade/model/testing/test-seed.ts'
import fc from 'fast-check'
import {
  answer,
  arrived,
  began,
  type Command,
  commands,
  ended,
  nextMove,
  type Place,
  startingPlace,
} from './machine.ts'

type Event =
  | { readonly kind: 'command'; readonly command: Command; readonly to: Stage | undefined }
  | { readonly kind: 'begin' }
  | { readonly kind: 'arrive' }

const anyEvent: fc.Arbitrary<Event> = fc.oneof(
  fc.record({
    kind: fc.constant('command' as const),
    command: fc.constantFrom(...commands),
    to: fc.option(fc.constantFrom(...stages), { nil: undefined, freq: 3 }),
  }),
  fc.constant({ kind: 'begin' as const }),
  fc.constant({ kind: 'arrive' as const }),
)

/** What the engine does with the answers of the machine. */
function apply(place: Place, event: Event): Place {
  if (event.kind === 'command') {
    const given = answer(place, event.command, event.to)
    return given.allowed ? given.place : place
  }
  if (event.kind === 'arrive') return arrived(place)
  const next = nextMove(place)
  if (next.kind === 'end') return ended(place)
  if (place.paused) return place
  return next.kind === 'start' || next.kind === 'reverse' ? began(place, next.move) : place
}

const seed = testSeed()
const settings = { numRuns: 2000, seed, endOnFailure: false }

function walk(check: (before: Place, event: Event, after: Place) => void): void {
  fc.assert(
    fc.property(fc.array(anyEvent, { maxLength: 60 }), (events) => {
      let place = startingPlace
      for (const event of events) {
        const after = apply(place, event)
        check(place, event, after)
        place = after
      }
    }),
    settings,
  )
}

test('SPEC 1: every transition is between neighbours, and a stage changes by one rung', () => {
  walk((before, _event, after) => {
    if (after.moving) assert.equal(Math.abs(rung(after.moving.from) - rung(after.moving.to)), 1)
    assert.ok(Math.abs(rung(before.stage) - rung(after.stage)) <= 1)
  })
})

test('SPEC 2: a command changes the wish alone, and saying it twice is saying it once', () => {
  walk((before, event, after) => {
    if (event.kind !== 'command') return
    assert.equal(after.stage, before.stage)
    assert.deepEqual(after.moving, before.moving)
    assert.deepEqual(apply(after, event), after)
  })
})

test('SPEC 3 and 4: a wish withdrawn on the way up turns the transition round; one on the way down finishes it first', () => {
  walk((before, event, after) => {
    if (event.kind !== 'command' || event.to !== undefined || !before.moving || before.aborted || before.aborting)
      return
    const up = rung(before.moving.to) > rung(before.moving.from)
    if (event.command === 'retreat' && up && before.moving.to !== 'complete') {
      assert.equal(after.desired, before.moving.from)
      assert.deepEqual(nextMove(after), { kind: 'reverse', move: { from: before.moving.to, to: before.moving.from } })
    }
    if (event.command === 'advance' && !up) {
      assert.equal(after.desired, before.moving.from)
      assert.deepEqual(nextMove(after), { kind: 'continue', move: before.moving })
    }
  })
})

test('SPEC 5: nothing leaves `complete`, nothing turns round on the way to it', () => {
  walk((before, _event, after) => {
    if (before.stage === 'complete') assert.deepEqual(after, before)
    if (before.moving?.to !== 'complete') return
    if (after.moving) assert.deepEqual(after.moving, before.moving)
    assert.equal(after.desired, 'complete')
  })
})

test('SPEC 5: whatever is said on the way to `complete`, `complete` stays wanted', () => {
  const completing: Place = {
    ...startingPlace,
    stage: 'rampdown',
    desired: 'complete',
    moving: { from: 'rampdown', to: 'complete' },
  }
  for (const command of commands) {
    for (const to of [undefined, ...stages]) {
      assert.equal(apply(completing, { kind: 'command', command, to }).desired, 'complete', `${command} ${to}`)
    }
  }
})

test('SPEC 6: abort is allowed before the cutover alone', () => {
  for (const stage of stages) {
    const given = answer({ ...startingPlace, stage, desired: stage }, 'abort')
    assert.equal(given.allowed, rung(stage) <= rung('shadow'), stage)
  }
})

test('SPEC 7: an aborted migration stands at `off` and allows nothing', () => {
  walk((before, _event, after) => {
    if (!before.aborted && after.aborted) assert.equal(after.stage, 'off')
    if (before.aborted) assert.deepEqual(after, before)
  })
})

test('SPEC 8: while paused nothing starts', () => {
  walk((before, event, after) => {
    if (before.paused && event.kind === 'begin') assert.deepEqual(after.moving, before.moving)
  })
})

test('SPEC 9: there is always a way back to `off`', () => {
  walk((_before, _event, after) => {
    if (after.aborted || after.stage === 'complete' || after.moving?.to === 'complete') return
    let place = apply(after, { kind: 'command', command: 'resume', to: undefined })
    for (let turns = 0; turns < 20 && !(place.stage === 'off' && !place.moving); turns++) {
      if (!place.aborting) place = apply(place, { kind: 'command', command: 'retreat', to: undefined })
      place = apply(place, { kind: 'begin' })
      place = apply(place, { kind: 'arrive' })
    }
    assert.equal(place.stage, 'off')
  })
})

test('a far wish is reached rung by rung', () => {
  let place = apply(startingPlace, { kind: 'command', command: 'advance', to: 'live' })
  const seen: Stage[] = []
  while (nextMove(place).kind === 'start') {
    place = arrived(apply(place, { kind: 'begin' }))
    seen.push(place.stage)
  }
  assert.deepEqual(seen, ['dualwrite', 'shadow', 'live'])
})
