/** The median; of an even number of values the greater one of the middle. Not a number, which JSON writes as null, where there are no values. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN
}
