/** Neighbouring buckets differ by this factor, which bounds a percentile's error. */
const growth = 1.05
const bucketsCount = 400
/** The upper end of the first bucket, in milliseconds. */
const firstMs = 0.1

export interface DurationFigures {
  readonly count: number
  readonly p50: number
  readonly p99: number
  readonly max: number
}

/** Durations in milliseconds in fixed memory; percentiles are at most 5 % too large, the maximum is exact. */
export class Histogram {
  readonly #buckets = new Uint32Array(bucketsCount)
  #count = 0
  #max = 0

  add(milliseconds: number): void {
    const bucket = milliseconds <= firstMs ? 0 : Math.ceil(Math.log(milliseconds / firstMs) / Math.log(growth))
    this.#buckets[Math.min(bucket, bucketsCount - 1)]! += 1
    this.#count += 1
    this.#max = Math.max(this.#max, milliseconds)
  }

  figures(): DurationFigures {
    return { count: this.#count, p50: this.#percentile(0.5), p99: this.#percentile(0.99), max: this.#max }
  }

  #percentile(share: number): number {
    const rank = Math.ceil(this.#count * share)
    let seen = 0
    for (let bucket = 0; bucket < bucketsCount; bucket += 1) {
      seen += this.#buckets[bucket]!
      if (seen >= rank && rank > 0) return Math.min(firstMs * growth ** bucket, this.#max)
    }
    return 0
  }
}
