// Keeps calls out of networks that are not the internet: what a user or a description names may be anything (server-side request forgery).
import { lookup as systemLookup } from 'node:dns'
import type { LookupFunction } from 'node:net'
import { fail } from '@crossfade/model/failure.ts'
import ipaddr from 'ipaddr.js'
import type { buildConnector } from 'undici'
import { connectorLibrary } from './call-libraries.ts'

/** Time to open a connection, TLS included. */
export const connectMsMax = 10_000
/** Time one address gets before the next one of the same name is tried beside it (RFC 8305). */
const nextAddressMs = 250

export interface GuardOptions {
  /** Exactly these `host:port` may be private: upstreams on one's own premises, and tests. Names as in the URL, IPv6 in brackets. */
  readonly allowedPrivateHosts?: readonly string[]
  /** Resolves names; the system's resolver by default. Its answer is what is checked and connected to: names are resolved once per connection. */
  readonly lookup?: LookupAll
  readonly connectMsMax?: number
}

export interface Address {
  readonly address: string
  readonly family: number
}

/** All addresses of a name. */
export type LookupAll = (
  hostname: string,
  answer: (error: NodeJS.ErrnoException | null, addresses: readonly Address[]) => void,
) => void

/** Public in every registry, but the door to a cloud's own services: Azure's platform address. */
const refusedAddresses: ReadonlySet<string> = new Set(['168.63.129.16'])
/** The only part of IPv6 that is assigned for the internet (RFC 4291, IANA); everything outside it is special in one way or another. */
const internet6 = ipaddr.IPv6.parseCIDR('2000::/3')

/**
 * Whether an address is on the public internet. Everything with a special meaning is not: private, loopback, link-local (the clouds' metadata services),
 * carrier-grade NAT, multicast, unspecified, reserved, and the forms of IPv6 that hold an IPv4 address (mapped, 6to4, NAT64, Teredo).
 */
export function isPublicAddress(address: string): boolean {
  if (!isAddress(address)) return false
  const parsed = ipaddr.parse(address)
  if (parsed.range() !== 'unicast' || refusedAddresses.has(parsed.toString())) return false
  return parsed.kind() === 'ipv4' || (parsed as ipaddr.IPv6).match(internet6)
}

/**
 * Connects as undici asks, to public addresses alone. A name is resolved here and only those of its addresses that were checked are connected to,
 * so that a second answer of the resolver (DNS rebinding) is never asked for. The connection's error is CF13310 when nothing public is left.
 * No proxy is used, whatever the environment says: a proxy would resolve the name again. `isAllowed` judges addresses.
 */
export function guardedConnector(
  options: GuardOptions = {},
  isAllowed: (address: string) => boolean = isPublicAddress,
): buildConnector.connector {
  const allowed = new Set(options.allowedPrivateHosts?.map((host) => host.toLowerCase()))
  const common = {
    allowH2: false,
    timeout: options.connectMsMax ?? connectMsMax,
    autoSelectFamily: true,
    autoSelectFamilyAttemptTimeout: nextAddressMs,
  }
  const lookup = options.lookup ?? systemLookupAll
  const connectorFor = (judge: (address: string) => boolean): buildConnector.connector => {
    let made: buildConnector.connector | null = null
    return (target, callback) => {
      made ??= connectorLibrary()({ ...common, lookup: checkedLookup(lookup, judge) })
      made(target, callback)
    }
  }
  const guarded = connectorFor(isAllowed)
  const unguarded = connectorFor(() => true)
  return (target, callback) => {
    const host = target.hostname.toLowerCase()
    const port = target.port || (target.protocol === 'https:' ? '443' : '80')
    const isExempt = allowed.has(`${ipaddr.IPv6.isValid(host) ? `[${host}]` : host}:${port}`)
    if (isExempt) return unguarded(target, callback)
    // Sockets don't ask the resolver for what is an address already.
    if (isAddress(host) && !isAllowed(host)) {
      process.nextTick(callback, fail('CF13310', { host, address: host }), null)
      return
    }
    guarded(target, callback)
  }
}

/** Stricter than ipaddr.js, which takes `127.1` as well. */
function isAddress(text: string): boolean {
  return ipaddr.IPv4.isValidFourPartDecimal(text) || ipaddr.IPv6.isValid(text)
}

function systemLookupAll(hostname: string, answer: Parameters<LookupAll>[1]): void {
  systemLookup(hostname, { all: true, verbatim: true }, answer)
}

/** The `lookup` of a socket: answers only addresses that may be connected to. */
function checkedLookup(lookup: LookupAll, isAllowed: (address: string) => boolean): LookupFunction {
  return (hostname, { all, family }, callback) => {
    lookup(hostname, (error, addresses) => {
      if (error !== null) return callback(error, [])
      const allowed = addresses.filter(({ address }) => isAllowed(address))
      const [first] = allowed
      if (first === undefined) {
        const refused = fail('CF13310', { host: hostname, address: addresses[0]?.address ?? 'no address' })
        return callback(refused, [])
      }
      if (all) return callback(null, allowed as { address: string; family: number }[])
      const wanted = family === 4 || family === 6 ? allowed.find((address) => address.family === family) : first
      callback(null, (wanted ?? first).address, (wanted ?? first).family)
    })
  }
}
