import type { ErrorDefinition } from './error-definition.ts'

/** CF11xxx the vault, its keys and their rotation. */
export const vaultErrors = {
  CF11001: {
    sentence: 'A stored secret is not in the form that the vault writes.',
    remedy: 'Connect the service again with its key. If many are so, restore the database from a backup.',
    retry: false,
  },
  CF11002: {
    sentence: 'A stored secret of {instanceId} does not open: it was changed, or belongs to another instance.',
    remedy: 'Connect the service again with its key, and look in the audit log for who wrote to the database.',
    retry: false,
  },
  CF11003: {
    sentence: 'The data key {dataKeyId} that a stored secret was sealed under is unknown.',
    remedy: 'Restore the table data_keys from the backup that the secrets come from, or connect the service again.',
    retry: false,
  },
  CF11004: {
    sentence: 'The key-encryption key {keyEncryptionKeyId} is not among those of {origin}.',
    remedy:
      'Put it back behind the current one (`new:…,{keyEncryptionKeyId}:…`) and restart; take a key away only when `crossfade mcp rotate-keys` says that nothing needs it.',
    retry: false,
  },
  CF11005: {
    sentence:
      'The key-encryption key {keyEncryptionKeyId} does not unwrap a data key: it is another key, or the row was changed.',
    remedy: 'Start with the key that has this id in truth, or restore the table data_keys from a backup.',
    retry: false,
  },
  CF11006: {
    sentence: 'The master key in {where} is malformed: {reason}.',
    remedy:
      'Give `id:key` with 32 bytes in base64, several separated by commas, the current one first. `openssl rand -base64 32` makes a key.',
    retry: false,
  },
  CF11007: {
    sentence: 'The file with the master key, {path}, can be read by others (mode {mode}).',
    remedy:
      'Run `chmod 600 {path}`, and if somebody may have read it, begin a new generation and run `crossfade mcp rotate-keys`.',
    retry: false,
  },
  CF11008: {
    sentence: 'The file with the master key, {path}, cannot be used: {reason}.',
    remedy:
      'Let CROSSFADE_MCP_MASTER_KEY_FILE name a readable file with the key, or restore that file: without it nothing that was stored opens.',
    retry: false,
  },
  CF11009: {
    sentence:
      'Secrets are stored under the key-encryption key {keyEncryptionKeyId}, which is not among those of {origin}.',
    remedy:
      'Start with the master key that the platform ran with before. Only if it is lost for good: empty the tables data_keys, key_checks and user_service_instances, and let users connect anew.',
    retry: false,
  },
  CF11010: {
    sentence: 'The master key {keyEncryptionKeyId} of {origin} is not the one that this database was used with.',
    remedy:
      'Start with the right key under this id. A new key needs a new id, in front of the old one: `new-id:…,{keyEncryptionKeyId}:…`; then run `crossfade mcp rotate-keys`.',
    retry: false,
  },
  CF11011: {
    sentence: 'The KMS command failed: {reason}.',
    remedy:
      'Run the program of CROSSFADE_MCP_KMS_COMMAND by hand with the request on its standard input; check its credentials and the network.',
    retry: true,
  },
  CF11012: {
    sentence: 'This secret cannot be stored: {reason}.',
    remedy: 'Check that the key was copied as a whole and as nothing else.',
    retry: false,
  },
  CF11013: {
    sentence: 'The vault is closed.',
    remedy: 'The process is ending; ask another worker, or wait for the next one.',
    retry: true,
  },
  CF11014: {
    sentence: 'The keys of the vault cannot be read from the database: {reason}.',
    remedy: 'Check that the database runs and can be reached. Nothing is lost.',
    retry: true,
  },
  CF11015: {
    sentence: 'There is no master key to encrypt secrets with.',
    remedy:
      'Set CROSSFADE_MCP_MASTER_KEY (`openssl rand -base64 32` makes one), CROSSFADE_MCP_MASTER_KEY_FILE or CROSSFADE_MCP_KMS_COMMAND.',
    retry: false,
  },
  CF11016: {
    sentence: 'The rotation left {count} secrets as they were, because they do not open.',
    remedy:
      'Their instances are listed; let their users connect again, then run `crossfade mcp rotate-keys` once more. The keys they need are kept until then.',
    retry: false,
  },
} as const satisfies Readonly<Record<string, ErrorDefinition>>
