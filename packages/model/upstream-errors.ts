import type { ErrorDefinition } from './error-definition.ts'

/** CF13xxx calls of tools, upstream services and their limits. */
export const upstreamErrors = {
  CF13001: {
    sentence: 'The id of this request is longer than {characters} characters.',
    remedy: 'Number your requests, or give them short names.',
    retry: false,
  },
  CF13002: {
    sentence: 'There is no tool {tool} here.',
    remedy: 'Did you mean {near}? `tools/list` names the tools, and `search_operations` finds the others.',
    retry: false,
  },
  CF13003: {
    sentence: 'The arguments of {tool} are not valid: {reason}.',
    remedy: "Correct them by the tool's inputSchema and call it again.",
    retry: false,
  },
  CF13004: {
    sentence: 'The tool {tool} changes things, and this token may only read.',
    remedy: 'Make a token with the scope `call` in the console, or use a tool that only reads.',
    retry: false,
  },
  CF13005: {
    sentence: 'The body of this request is nested deeper than {levels} levels.',
    remedy: 'Send flatter arguments.',
    retry: false,
  },
  CF13006: {
    sentence: 'The body of this request holds a member named `__proto__`.',
    remedy: 'Leave it out: no tool has such an argument.',
    retry: false,
  },
  CF13007: {
    sentence: 'The body of this request is not valid UTF-8.',
    remedy: 'Encode the JSON as UTF-8.',
    retry: false,
  },
  CF13008: {
    sentence: 'Too many calls: the {limit} limit of this instance is reached.',
    remedy: 'Wait {seconds} s, then call again.',
    retry: true,
  },
  CF13009: {
    sentence: 'The cursor of this request is not one that was given out.',
    remedy: 'Ask for the list again without a cursor: it has changed.',
    retry: false,
  },
  CF13010: {
    sentence: 'The tool {tool} could not be called.',
    remedy: 'Try again; if it happens again, tell the operator, whose log says why.',
    retry: true,
  },
  CF13011: {
    sentence: 'This instance has {streams} streams open, which is its limit.',
    remedy: 'Close clients that are not used any more.',
    retry: true,
  },
  CF13012: {
    sentence: 'The inputSchema of {tool} cannot be used: {reason}.',
    remedy:
      'Correct the description of the service; `node packages/catalog/check-command.ts` says what else is wrong with it.',
    retry: false,
  },
  CF13013: {
    sentence: 'The client gave up on this call.',
    remedy: 'Nothing needs to be done; what the upstream had already taken stays done.',
    retry: false,
  },
  // CF13300–CF13999: the upstream side of a call.
  CF13300: {
    sentence: 'The argument {argument} of {tool} {reason}; nothing was sent.',
    remedy: 'Correct the argument and call the tool again.',
    retry: false,
  },
  CF13301: {
    sentence: 'The setting {variable} that the address of {service} needs {reason}; nothing was sent.',
    remedy: 'Set it in the console on the page of the instance, or with `crossfade mcp connect {service}`.',
    retry: false,
  },
  CF13302: {
    sentence: 'The stored credential of {service} {reason}; nothing was sent.',
    remedy: 'Store it again with `crossfade mcp connect {service}`.',
    retry: false,
  },
  CF13303: {
    sentence: 'The address of {service} is not one that can be called: {reason}.',
    remedy:
      'Correct baseUrl in the config.json of the service, then run `crossfade mcp services` to see that it loads.',
    retry: false,
  },
  CF13310: {
    sentence: '{host} is at {address}, which belongs to a private or reserved network; Crossfade does not call it.',
    remedy: 'If it is an upstream of your own, the operator allows it by name and port in `allowedPrivateHosts`.',
    retry: false,
  },
  CF13311: {
    sentence: '{host} could not be reached: {reason}.',
    remedy: 'Try again later; `crossfade mcp health` shows whether it is the upstream as a whole.',
    retry: true,
  },
  CF13312: {
    sentence: '{host} did not answer within {milliseconds} ms.',
    remedy: 'Try again later, or ask for less at once; whether the upstream carried the call out is not known.',
    retry: true,
  },
  CF13313: {
    sentence: 'The connection to {host} broke before the answer was complete: {reason}.',
    remedy: 'Try again; for a call that changes something look first whether it was carried out.',
    retry: true,
  },
  CF13314: {
    sentence: '{host} answered something that is no correct HTTP: {reason}.',
    remedy: 'Try again later; if it stays, the address of the service is wrong or the upstream is broken.',
    retry: true,
  },
  CF13315: {
    sentence: 'The answer of {host} is larger than {bytesMax} bytes and was not taken.',
    remedy: 'Ask for less: {how}.',
    retry: false,
  },
  CF13316: {
    sentence: 'The answer of {host} is compressed as {encoding} and could not be unpacked: {reason}.',
    remedy: 'Try again later; if it stays, the upstream is broken.',
    retry: true,
  },
  CF13317: {
    sentence: '{host} redirects to {location}, which was not followed.',
    remedy:
      'If it is a file to be downloaded, open the address yourself; otherwise the address of the service is out of date.',
    retry: false,
  },
  CF13318: {
    sentence: '{host} failed {failures} times in a row and is left alone for the moment.',
    remedy: 'Try again in {seconds} s; `crossfade mcp health` shows when it has recovered.',
    retry: true,
  },
  CF13319: {
    sentence: 'Too many calls wait for {host} already ({waitingMax}).',
    remedy: 'Try again in a moment, or make fewer calls at once.',
    retry: true,
  },
  CF13320: {
    sentence: '{service} asks for no more requests for {seconds} s.',
    remedy: 'Wait {seconds} s, then call the tool again.',
    retry: true,
  },
  CF13321: {
    sentence: '{service} takes {requestsMax} requests in {windowMs} ms, and they are used up.',
    remedy: 'Wait {seconds} s, then call the tool again.',
    retry: true,
  },
  CF13330: {
    sentence: '{service} refused the request ({status}): {reason}.',
    remedy: 'Correct the arguments as the message says and call the tool again.',
    retry: false,
  },
  CF13331: {
    sentence: '{service} refused the key ({status}): {reason}.',
    remedy: 'Store a valid one with `crossfade mcp connect {service}`.',
    retry: false,
  },
  CF13332: {
    sentence: '{service} does not allow this with the stored key ({status}): {reason}.',
    remedy: 'Give the key the permission, or store another with `crossfade mcp connect {service}`.',
    retry: false,
  },
  CF13333: {
    sentence: '{service} has nothing there, or the key may not see it ({status}): {reason}.',
    remedy: 'Check the names and ids in the arguments.',
    retry: false,
  },
  CF13334: {
    sentence: '{service} says that this conflicts with its present state ({status}): {reason}.',
    remedy: 'Read the present state first, then decide again.',
    retry: false,
  },
  CF13335: {
    sentence: '{service} could not process the arguments ({status}): {reason}.',
    remedy: 'Correct the arguments as the message says and call the tool again.',
    retry: false,
  },
  CF13336: {
    sentence: '{service} has trouble of its own ({status}): {reason}.',
    remedy: 'Try again later; `crossfade mcp health` shows when it has recovered.',
    retry: true,
  },
  CF13340: {
    sentence: 'The MCP server of {service} could not be talked to: {reason}.',
    remedy: 'Try again later; `crossfade mcp health` shows whether it is the server as a whole.',
    retry: true,
  },
  CF13341: {
    sentence: 'The tool {tool} of {service} is not what it was when it was approved ({digest}); it is in quarantine.',
    remedy: 'An operator compares the definitions and approves the new one.',
    retry: false,
  },
  CF13342: {
    sentence: 'The MCP server of {service} refused the call: {reason}.',
    remedy: 'Correct the arguments as the message says and call the tool again.',
    retry: false,
  },
  CF13343: {
    sentence: 'The tool {tool} of {service} has no definition {digest} that waits for approval.',
    remedy: 'List the quarantined tools again: the server may have changed it once more.',
    retry: false,
  },
} as const satisfies Readonly<Record<string, ErrorDefinition>>
