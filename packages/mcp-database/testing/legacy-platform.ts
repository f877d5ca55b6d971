// For tests: the tables of a platform with a process per user, as its own documentation writes them, with rows of every kind.
import { createHash } from 'node:crypto'
import { seededRandom } from '@crossfade/model/seeded-random.ts'
import type pg from 'pg'

const tables = `
  CREATE TABLE users (
    id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    email VARCHAR(255) UNIQUE NOT NULL,
    password_hash VARCHAR(255),
    name VARCHAR(255),
    created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP
  );
  CREATE TABLE mcp_types (
    id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    name VARCHAR(100) UNIQUE NOT NULL,
    description TEXT,
    icon_url VARCHAR(500),
    category VARCHAR(100),
    is_active BOOLEAN DEFAULT true,
    created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP
  );
  CREATE TABLE mcp_instances (
    id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id UUID NOT NULL REFERENCES users(id) ON DELETE CASCADE,
    mcp_type_id UUID NOT NULL REFERENCES mcp_types(id),
    name VARCHAR(255) NOT NULL,
    config JSONB DEFAULT '{}',
    is_active BOOLEAN DEFAULT false,
    status VARCHAR(50) DEFAULT 'inactive',
    process_id INTEGER,
    access_token VARCHAR(255) UNIQUE,
    encrypted_credentials TEXT,
    created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP
  );`

/** The last three are in no registry of ours; the two before differ from a service's name in its case and its blanks. */
export const legacyTypes = [
  'figma',
  'figshare',
  'github',
  'slack',
  'gmail',
  'trello',
  'notion',
  'x_ads',
  'a-b',
  '3scale',
  'GitHub',
  ' slack ',
  'Frob Nicate',
  'ünïcode',
  'retired-service',
] as const
export const registeredTypes = legacyTypes.slice(0, 9)

/**
 * Makes the tables and fills them: `instances` rows over `users` users and all types, about 70 % active, some without credentials, several of one user and type.
 * The same seed makes the same rows, ids among them.
 */
export async function createLegacyPlatform(
  admin: pg.ClientBase,
  options: { seed: number; users: number; instances: number },
): Promise<void> {
  await admin.query(tables)
  await admin.query(
    'INSERT INTO mcp_types (id, name) SELECT md5($2 || name)::uuid, name FROM unnest($1::text[]) AS name',
    [legacyTypes, `${options.seed}`],
  )
  await admin.query(
    `INSERT INTO users (id, email, name, password_hash)
     SELECT md5($1 || '/user/' || n)::uuid, 'user' || n || '@example.org', 'User ' || n, 'x' FROM generate_series(1, $2) n`,
    [`${options.seed}`, options.users],
  )
  await admin.query('SELECT setseed($1)', [seededRandom(options.seed)()])
  await admin.query(
    `INSERT INTO mcp_instances (id, user_id, mcp_type_id, name, config, is_active, access_token, encrypted_credentials, created_at, updated_at)
     SELECT md5($1 || '/instance/' || n)::uuid, md5($1 || '/user/' || (1 + floor(random() * $2)::int))::uuid,
       md5($1 || ($3::text[])[1 + floor(random() * cardinality($3::text[]))::int])::uuid,
       'instance ' || n, CASE WHEN random() < 0.1 THEN NULL ELSE jsonb_build_object('n', n) END, random() < 0.7, 'token ' || n,
       CASE WHEN random() < 0.03 THEN NULL WHEN random() < 0.03 THEN E' \\n' ELSE 'legacy:' || n END,
       timestamp '2024-01-01' + random() * interval '300 days',
       CASE WHEN random() < 0.02 THEN NULL ELSE timestamp '2024-11-01' + floor(random() * 1000) * interval '1 hour' END
     FROM generate_series(1, $4) n`,
    [`${options.seed}`, options.users, legacyTypes, options.instances],
  )
}

/** Two UUIDs whose MD5 (of the text) begin with the same six hexadecimal digits: found among some thousands. */
export function collidingIds(seed: number): [string, string] {
  const seen = new Map<string, string>()
  for (let n = 0; ; n += 1) {
    const hex = createHash('md5').update(`${seed}/collision/${n}`).digest('hex')
    const id = hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
    const digits = md5(id).slice(0, 6)
    const other = seen.get(digits)
    if (other) return [other, id]
    seen.set(digits, id)
  }
}

export function md5(text: string): string {
  return createHash('md5').update(text).digest('hex')
}
