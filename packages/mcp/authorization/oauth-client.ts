/** What this installation is to the authorization server of an upstream. */
export interface OAuthClient {
  readonly clientId: string
  /** Null: a public client, which PKCE alone protects. */
  readonly clientSecret: string | null
}
