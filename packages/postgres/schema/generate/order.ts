import type { Address, Dependency } from '../inventory-types.ts'

/** An order in which everything comes after what it needs, and the objects whose defaults and checks must wait until all is there. */
export interface Order {
  readonly addresses: readonly Address[]
  readonly deferred: ReadonlySet<Address>
}

/**
 * Sorts so that needs come first; where nothing decides, the given order stays. A cycle that runs through a column default or a check
 * (a function takes the table's row, the table's default calls the function) is cut there.
 */
export function inOrder(addresses: readonly Address[], dependencies: readonly Dependency[]): Order {
  const present = new Set(addresses)
  const needs = new Map<Address, Dependency[]>()
  for (const edge of dependencies) {
    if (edge.via === 'index' || !present.has(edge.object) || !present.has(edge.needs)) continue
    const edges = needs.get(edge.object)
    if (edges) edges.push(edge)
    else needs.set(edge.object, [edge])
  }
  const deferred = new Set<Address>()
  const firm = [...needs.values()].flat().filter((edge) => edge.via === null)
  for (const edge of [...needs.values()].flat()) {
    if (edge.via !== null && reaches(edge.needs, edge.object, firm)) deferred.add(edge.object)
  }
  const sorted: Address[] = []
  const state = new Map<Address, 'open' | 'done'>()
  const visit = (address: Address): void => {
    if (state.has(address)) return
    state.set(address, 'open')
    for (const edge of needs.get(address) ?? []) {
      if (edge.via !== null && deferred.has(address)) continue
      visit(edge.needs)
    }
    state.set(address, 'done')
    sorted.push(address)
  }
  for (const address of addresses) visit(address)
  return { addresses: sorted, deferred }
}

/** Everything that the given objects need, directly or not, without themselves. */
export function closure(start: Iterable<Address>, dependencies: readonly Dependency[]): Set<Address> {
  const needs = new Map<Address, Address[]>()
  for (const edge of dependencies) {
    const list = needs.get(edge.object)
    if (list) list.push(edge.needs)
    else needs.set(edge.object, [edge.needs])
  }
  const found = new Set<Address>()
  const queue = [...start]
  while (queue.length > 0) {
    for (const needed of needs.get(queue.pop()!) ?? []) {
      if (found.has(needed)) continue
      found.add(needed)
      queue.push(needed)
    }
  }
  return found
}

function reaches(from: Address, to: Address, dependencies: readonly Dependency[]): boolean {
  return from === to || closure([from], dependencies).has(to)
}
