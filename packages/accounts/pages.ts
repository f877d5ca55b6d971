// The two pages that a browser sees of us: small, without scripts, in light and dark.
import { createHash } from 'node:crypto'
import { escapeHtml } from './http-answers.ts'

const style = `
:root{color-scheme:light dark;--ground:#f6f6f4;--card:#fff;--ink:#1a1a19;--quiet:#5c5b57;--line:#dcdad4;--accent:#1f5fbf;--on-accent:#fff}
@media(prefers-color-scheme:dark){:root{--ground:#161615;--card:#201f1e;--ink:#f0efec;--quiet:#a9a7a1;--line:#3a3936;--accent:#7fb0ff;--on-accent:#0b1a30}}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;display:grid;place-items:center;padding:1rem;background:var(--ground);color:var(--ink);font:1rem/1.5 system-ui,sans-serif}
main{width:100%;max-width:28rem;background:var(--card);border:1px solid var(--line);border-radius:.75rem;padding:1.5rem}
h1{font-size:1.25rem;line-height:1.3;margin:0 0 .75rem;overflow-wrap:anywhere}
p{margin:.5rem 0}
dl{margin:1rem 0;border-top:1px solid var(--line)}
dl div{padding:.5rem 0;border-bottom:1px solid var(--line)}
dt{color:var(--quiet);font-size:.875rem}
dd{margin:0;overflow-wrap:anywhere}
ul{margin:.25rem 0 0;padding-left:1.25rem}
.quiet{color:var(--quiet);font-size:.875rem}
form{display:flex;gap:.75rem;margin-top:1.25rem;flex-wrap:wrap}
button{flex:1 1 8rem;min-height:2.75rem;font:inherit;font-weight:600;border-radius:.5rem;border:1px solid var(--line);background:transparent;color:inherit;cursor:pointer}
button.yes{background:var(--accent);border-color:var(--accent);color:var(--on-accent)}
button:focus-visible{outline:3px solid var(--accent);outline-offset:2px}
`
const styleHash = createHash('sha256').update(style).digest('base64')

/**
 * A page with `body` (HTML) that nobody can frame, script or cache. `formTargets` are where its form may lead, ours
 * besides: browsers apply form-action to the redirect after the form as well.
 */
export function page(status: number, title: string, body: string, formTargets: readonly string[] = []): Response {
  const html = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="robots" content="noindex"><title>${escapeHtml(title)}</title><style>${style}</style></head>
<body><main>${body}</main></body></html>
`
  const policy = [
    "default-src 'none'",
    `style-src 'sha256-${styleHash}'`,
    `form-action ${["'self'", ...formTargets].join(' ')}`,
    "frame-ancestors 'none'",
    "base-uri 'none'",
  ]
  return new Response(html, {
    status,
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': policy.join('; '),
      'x-frame-options': 'DENY',
      'x-content-type-options': 'nosniff',
      // Not `no-referrer`: with it browsers name no origin in a form's POST, and ours is refused as a foreign one.
      'referrer-policy': 'same-origin',
      'cache-control': 'no-store',
    },
  })
}

const errorSentences: Readonly<Record<string, string>> = {
  invalid_client: 'The application is not known here. Remove the connection in it and connect again.',
  client_disabled: 'The application is switched off here.',
  invalid_redirect: 'The application asked to be answered at an address that it has not registered.',
  invalid_request: 'The application asked in a way that is not understood here.',
  unsupported_response_type: 'The application asked for an answer of a kind that is not given here.',
  invalid_signature: 'This page is too old, or was changed on its way. Start again in the application.',
  missing_session: 'You are not signed in any more. Start again in the application.',
  link_used: 'This link was used already, or is older than three minutes. Ask for a new one.',
  wrong_origin: 'This answer did not come from the page that asked. Start again in the application.',
}

/** What went wrong, where there is no application to send the person back to. The texts are ours, never the URL's. */
export function errorPage(asked: URLSearchParams, status = 400): Response {
  const sentence = errorSentences[asked.get('error') ?? ''] ?? 'The application could not be connected.'
  return page(status, 'Not connected', `<h1>Not connected</h1><p>${escapeHtml(sentence)}</p>`)
}
