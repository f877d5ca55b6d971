import type { Side } from '@crossfade/model/stage.ts'
import { otherSide } from '@crossfade/model/stage.ts'
import { route } from '@crossfade/routing/route.ts'
import type { ModelWorld } from './model-plane.ts'
import { Random } from './scheduler.ts'

/** What the clients know, outside of all databases; and what may never be. */
export class Ledger {
  readonly random: Random
  readonly violations: string[] = []
  readonly #writes = new Map<string, { readonly key: string; acknowledged: boolean }>()
  /** Writes that committed somewhere, by key. */
  readonly #committed = new Map<string, Set<string>>()

  constructor(seed: number) {
    this.random = new Random(seed ^ 0x5bd1e995)
  }

  get acknowledgedCount(): number {
    return [...this.#writes.values()].filter((write) => write.acknowledged).length
  }

  violation(text: string): void {
    if (this.violations.length < 20) this.violations.push(text)
  }

  begun(id: string, key: string): void {
    this.#writes.set(id, { key, acknowledged: false })
  }

  acknowledged(id: string): void {
    this.#writes.get(id)!.acknowledged = true
  }

  /**
   * A client's write has just committed. Never two authorities: the row it was made on must hold every write that was committed to that key before, on whichever side.
   */
  committed(world: ModelWorld, id: string, key: string, unit: string, side: Side): void {
    const known = this.#committed.get(key) ?? new Set()
    this.#committed.set(key, known)
    const row = rowOn(world, side, key)
    for (const earlier of known) {
      if (!row.includes(earlier))
        this.violation(`two authorities over ${unit}: ${id} was written on the ${side} to ${key} without ${earlier}`)
    }
    known.add(id)
  }

  /** Whether both sides hold the same. */
  isEverywhere(world: ModelWorld): boolean {
    return [...this.#committed.keys()].every(
      (key) => rowOn(world, 'source', key).join() === rowOn(world, 'target', key).join(),
    )
  }

  /** At rest: every acknowledged write is in its row exactly once, on the side that has the authority; on the other side as well while streams run. */
  check(world: ModelWorld, side: Side, both: boolean): void {
    for (const each of both ? [side, otherSide(side)] : [side]) {
      for (const [id, { key, acknowledged }] of this.#writes) {
        const times = rowOn(world, each, key).filter((write) => write === id).length
        if (times > 1) this.violation(`${id} is ${times} times in ${key} on the ${each}`)
        if (times === 0 && acknowledged) this.violation(`${id} was acknowledged and is not in ${key} on the ${each}`)
      }
    }
    for (const key of this.#committed.keys()) {
      if (both && rowOn(world, 'source', key).join() !== rowOn(world, 'target', key).join())
        this.violation(`the sides differ in ${key}`)
    }
  }
}

function rowOn(world: ModelWorld, side: Side, key: string): readonly string[] {
  return world.databases.get(route(world.plan[side].topology, key))!.rows.get(key) ?? []
}
