// Whether a service that can't be reached is down, or we are cut off ourselves.
import type { Clock } from '@crossfade/model/clock.ts'
import type { ServiceType } from '@crossfade/model/platform-ids.ts'
import { attemptMsMax, type Check } from './check-service.ts'
import type { Probe } from './probe.ts'

/** An answer from anywhere says for so long that our own network works. */
export const answerHoldsMs = 5 * 60_000
/** Other hosts that are asked before we believe that we are cut off. */
export const witnessesMax = 3
/** While cut off, one look this often. */
export const offlineRestMs = 5 * 60_000

/**
 * Keeps an outage of our own network, or a machine without internet, from being told as hundreds of services that are down. A service that could not be reached is believed to be
 * down only when somebody else answered lately; when nobody has, a few others are asked, and when none of them answers either, nothing is recorded and checks rest.
 */
export class NetworkDoubt {
  readonly #probe: Probe
  readonly #clock: Clock
  readonly #urls: () => ReadonlyMap<ServiceType, string>
  readonly #attemptMsMax: number
  #answeredMs = Number.NEGATIVE_INFINITY
  #offlineUntilMs = Number.NEGATIVE_INFINITY
  #offline = false
  #asking: Promise<boolean> | null = null

  constructor(
    probe: Probe,
    clock: Clock,
    urls: () => ReadonlyMap<ServiceType, string>,
    longestMs: number = attemptMsMax,
  ) {
    this.#probe = probe
    this.#clock = clock
    this.#urls = urls
    this.#attemptMsMax = longestMs
  }

  get offline(): boolean {
    return this.#offline
  }

  /** How long checks should rest. */
  restMs(): number {
    return this.#offline ? Math.max(0, this.#offlineUntilMs - this.#clock.now()) : 0
  }

  /** Somebody out there answered. */
  answered(): void {
    this.#answeredMs = this.#clock.now()
    this.#offline = false
  }

  /** Whether a check tells of the service, and not of our network. */
  async isTold(check: Check, signal: AbortSignal): Promise<boolean> {
    if (check.healthy || !check.unreachable) {
      this.answered()
      return true
    }
    if (this.#clock.now() - this.#answeredMs < answerHoldsMs) return true
    this.#asking ??= this.#askOthers(signal).finally(() => {
      this.#asking = null
    })
    if (await this.#asking) return true
    this.#offline = true
    this.#offlineUntilMs = this.#clock.now() + offlineRestMs
    return false
  }

  async #askOthers(signal: AbortSignal): Promise<boolean> {
    const byHost = new Map([...this.#urls().values()].map((url) => [new URL(url).host, url]))
    const hosts = [...byHost.values()].sort(() => Math.random() - 0.5).slice(0, witnessesMax)
    const asked = hosts.map((url) =>
      this.#probe.ask(url, AbortSignal.any([signal, AbortSignal.timeout(this.#attemptMsMax)])),
    )
    const answers = await Promise.allSettled(asked)
    if (!answers.some(({ status }) => status === 'fulfilled')) return false
    this.answered()
    return true
  }
}
