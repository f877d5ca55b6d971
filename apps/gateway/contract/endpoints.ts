// Every endpoint of the API, on one page. Below /api/v1 unless the path begins otherwise; bodies and answers are JSON.
//
// Who is asking: the session cookie that sign-in sets (writes need an Origin of this server), or `Authorization: Bearer cfp_…`, a personal API token (`read` for GET,
// `write` for the rest). What belongs to somebody else is 404. A refusal is a Problem {code, message, remedy, retry}; 401: sign in, 403: may not, 404: no such thing,
// 409: not in this state, 422: the value is wrong (a wrong key: CF12010), 429 and 503: later.
//
//   SERVICES
//   GET    /services?search=&category=&connected=&offset=&limit=  ServicePage: with health, and whether the caller is connected
//   GET    /services/:serviceType                          ServiceDetail: fields to fill in, OAuth, listed tools
//   GET    /services/:serviceType/tools?search=&limit=     Tools: without search the listed ones
//   GET    /services/:serviceType/tools/:name              ToolDetail: with the schema of its arguments
//   GET    /health                                         ServiceHealth: all services
//
//   IMPORTS (services of the caller's own; an administrator's may be for everybody)
//   GET    /imports                                        {imports: Imported[]}: the caller's
//   POST   /imports                                        Import → 201 Imported; CF12038: the name is taken, CF12039: imported before (`replace`)
//   DELETE /imports/:serviceType                           204; the caller's instance of it goes too
//   GET    /imports/:serviceType/tools                     {tools: PinnedTool[]} of a remote server: what is served, what waits
//   POST   /imports/:serviceType/tools                     the same, after asking the server anew with the caller's key
//   POST   /imports/:serviceType/tools/:tool/decision      ToolDecision → 204; CF12042: it has changed since
//
//   INSTANCES (one per user and service)
//   POST   /services/:serviceType/authenticate             Authenticate → 201 (new, with its first token) or 200 (key replaced; id, URL, tokens, settings stay) Authenticated
//   GET    /services/:serviceType/instance                 InstanceDetail; 404 while not connected
//   PATCH  /services/:serviceType/instance                 ChangeInstance → InstanceDetail
//   DELETE /services/:serviceType/instance                 204; the key, the tokens and the URL are gone at once
//   POST   /services/:serviceType/instance/tools/:name/call  CallTool → CalledTool: try a tool; troubles of the upstream are in `result` (isError)
//   GET    /services/:serviceType/instance/tokens          {tokens: Token[]}
//   POST   /services/:serviceType/instance/tokens          NewToken → 201 MintedToken: the secret is shown this once
//   DELETE /services/:serviceType/instance/tokens/:id      204; revoked on every worker at once
//   GET    /user/instances                                 {instances: Instance[]}
//
//   OAUTH towards an upstream (browser navigation, session cookie only)
//   GET    /services/:serviceType/oauth/start?returnTo=&variables=  302 to the upstream's consent page (with `Accept: application/json`: 200 {authorizationUrl})
//   GET    /oauth/callback/:serviceType?code=&state=       303 to `returnTo` with ?connected=SERVICE (and &token=new: the page then makes the first token) or ?failed=CODE
//
//   THE CALLER
//   GET    /session                                        Session: open to everybody; `user` is null when nobody is signed in
//   GET    /user/usage?from=&to=&serviceType=&by=          Usage: p50, p95, p99 per service and day or hour
//   GET    /user/audit?before=&limit=&subject=             Audit, the newest first
//   GET    /user/tokens                                    {tokens: ApiToken[]}
//   POST   /user/tokens                                    NewApiToken → 201 MintedApiToken (by session only)
//   DELETE /user/tokens/:id                                204
//   GET    /user/applications                              {applications: Application[]}: MCP clients let in by OAuth
//   DELETE /user/applications/:id                          204; its tokens end on every worker at once
//   *      /auth/*                                         sign-up, sign-in, sign-out, OAuth server (better-auth): POST /auth/sign-up/email {name, email, password},
//                                                          POST /auth/sign-in/email {email, password}, POST /auth/sign-out
//
//   BESIDES
//   GET    /openapi.json · /healthz · /readyz · /metrics (the last three at the root)

/** Where the API's endpoints begin. */
export const apiPrefix = '/api/v1'

/** `operationId` → how it is called: what the routes must be, and what a client may rely on. */
export const endpoints = {
  listServices: ['GET', '/services'],
  getService: ['GET', '/services/:serviceType'],
  searchTools: ['GET', '/services/:serviceType/tools'],
  getTool: ['GET', '/services/:serviceType/tools/:name'],
  getServiceHealth: ['GET', '/health'],
  listImports: ['GET', '/imports'],
  importService: ['POST', '/imports'],
  removeImport: ['DELETE', '/imports/:serviceType'],
  listImportedTools: ['GET', '/imports/:serviceType/tools'],
  askForImportedTools: ['POST', '/imports/:serviceType/tools'],
  decideOnTool: ['POST', '/imports/:serviceType/tools/:tool/decision'],
  authenticate: ['POST', '/services/:serviceType/authenticate'],
  getInstance: ['GET', '/services/:serviceType/instance'],
  changeInstance: ['PATCH', '/services/:serviceType/instance'],
  deleteInstance: ['DELETE', '/services/:serviceType/instance'],
  callTool: ['POST', '/services/:serviceType/instance/tools/:name/call'],
  listTokens: ['GET', '/services/:serviceType/instance/tokens'],
  createToken: ['POST', '/services/:serviceType/instance/tokens'],
  revokeToken: ['DELETE', '/services/:serviceType/instance/tokens/:id'],
  listInstances: ['GET', '/user/instances'],
  startAuthorization: ['GET', '/services/:serviceType/oauth/start'],
  finishAuthorization: ['GET', '/oauth/callback/:serviceType'],
  getSession: ['GET', '/session'],
  getUsage: ['GET', '/user/usage'],
  getAudit: ['GET', '/user/audit'],
  listApiTokens: ['GET', '/user/tokens'],
  createApiToken: ['POST', '/user/tokens'],
  revokeApiToken: ['DELETE', '/user/tokens/:id'],
  listApplications: ['GET', '/user/applications'],
  revokeApplication: ['DELETE', '/user/applications/:id'],
} as const satisfies Readonly<Record<string, readonly ['GET' | 'POST' | 'PATCH' | 'DELETE', `/${string}`]>>
export type OperationId = keyof typeof endpoints
