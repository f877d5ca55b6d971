import type { SampleSeries } from './contract.ts'

/** At most `pointsMax` points: each is the greatest of its stretch, for a peak is what people look for; the last one is kept as it is. */
export function thinnedOut(series: SampleSeries, pointsMax: number): SampleSeries {
  const { at, values } = series
  if (at.length <= pointsMax || pointsMax < 2) return series
  const stretch = Math.ceil((at.length - 1) / (pointsMax - 1))
  const kept: number[] = []
  for (let from = 0; from < at.length - 1; from += stretch) {
    let greatest = from
    for (let index = from; index < Math.min(from + stretch, at.length - 1); index += 1)
      if (values[index]! > values[greatest]!) greatest = index
    kept.push(greatest)
  }
  kept.push(at.length - 1)
  return { at: kept.map((index) => at[index]!), values: kept.map((index) => values[index]!) }
}
