// How the library's models and fields are called in our database: plural tables, snake_case columns.

/** `clientId` → `client_id`, `requirePKCE` → `require_pkce`. */
function snakeCase(name: string): string {
  return name.replace(/([a-z0-9])([A-Z])/g, '$1_$2').toLowerCase()
}

function columns(...fields: readonly string[]): Record<string, string> {
  return Object.fromEntries(fields.map((field) => [field, snakeCase(field)]))
}

/** The library's own models. */
export const accountTables = {
  user: { modelName: 'users', fields: columns('emailVerified', 'createdAt', 'updatedAt') },
  session: {
    modelName: 'sessions',
    fields: columns('expiresAt', 'createdAt', 'updatedAt', 'ipAddress', 'userAgent', 'userId'),
  },
  account: {
    modelName: 'accounts',
    fields: columns(
      'accountId',
      'providerId',
      'userId',
      'accessToken',
      'refreshToken',
      'idToken',
      'accessTokenExpiresAt',
      'refreshTokenExpiresAt',
      'createdAt',
      'updatedAt',
    ),
  },
  verification: { modelName: 'verifications', fields: columns('expiresAt', 'createdAt', 'updatedAt') },
  rateLimit: { modelName: 'sign_in_rates', fields: columns('lastRequest') },
}

/** The models of the OAuth provider. */
export const oauthTables = {
  oauthClient: {
    modelName: 'oauth_clients',
    fields: columns(
      'clientId',
      'clientSecret',
      'clientDiscoveryId',
      'skipConsent',
      'enableEndSession',
      'subjectType',
      'clientCredentialsScopes',
      'userId',
      'createdAt',
      'updatedAt',
      'softwareId',
      'softwareVersion',
      'softwareStatement',
      'redirectUris',
      'postLogoutRedirectUris',
      'backchannelLogoutUri',
      'backchannelLogoutSessionRequired',
      'tokenEndpointAuthMethod',
      'applicationType',
      'jwksUri',
      'grantTypes',
      'responseTypes',
      'requirePKCE',
      'dpopBoundAccessTokens',
      'referenceId',
    ),
  },
  oauthResource: {
    modelName: 'oauth_resources',
    fields: columns(
      'accessTokenTtl',
      'refreshTokenTtl',
      'signingAlgorithm',
      'signingKeyId',
      'allowedScopes',
      'customClaims',
      'dpopBoundAccessTokensRequired',
      'createdAt',
      'updatedAt',
      'policyVersion',
    ),
  },
  oauthClientResource: {
    modelName: 'oauth_client_resources',
    fields: columns('clientId', 'resourceId', 'createdAt'),
  },
  oauthRefreshToken: {
    modelName: 'oauth_refresh_tokens',
    fields: columns(
      'clientId',
      'sessionId',
      'userId',
      'referenceId',
      'authorizationCodeId',
      'requestedUserInfoClaims',
      'expiresAt',
      'createdAt',
      'rotatedAt',
      'rotationReplayResponse',
      'rotationReplayExpiresAt',
      'authTime',
    ),
  },
  oauthAccessToken: {
    modelName: 'oauth_access_tokens',
    fields: columns(
      'clientId',
      'sessionId',
      'userId',
      'referenceId',
      'authorizationCodeId',
      'requestedUserInfoClaims',
      'refreshId',
      'expiresAt',
      'createdAt',
    ),
  },
  oauthConsent: {
    modelName: 'oauth_consents',
    fields: columns('clientId', 'userId', 'referenceId', 'requestedUserInfoClaims', 'createdAt', 'updatedAt'),
  },
  oauthClientAssertion: { modelName: 'oauth_client_assertions', fields: columns('expiresAt') },
}
