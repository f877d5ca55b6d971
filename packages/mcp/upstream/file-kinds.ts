// What a file is, by its first bytes: for answers that say nothing or `application/octet-stream` about themselves, or lie, and for files that are sent.

export interface FileKind {
  readonly type: string
  /** Of its name, without a dot. */
  readonly ending: string
}

const kinds: readonly (FileKind & { readonly at: number; readonly bytes: Buffer })[] = [
  { type: 'image/png', ending: 'png', at: 0, bytes: Buffer.from('89504e470d0a1a0a', 'hex') },
  { type: 'image/jpeg', ending: 'jpg', at: 0, bytes: Buffer.from('ffd8ff', 'hex') },
  { type: 'image/gif', ending: 'gif', at: 0, bytes: Buffer.from('GIF8') },
  { type: 'image/webp', ending: 'webp', at: 8, bytes: Buffer.from('WEBP') },
  { type: 'image/avif', ending: 'avif', at: 4, bytes: Buffer.from('ftypavif') },
  { type: 'audio/wav', ending: 'wav', at: 8, bytes: Buffer.from('WAVE') },
  { type: 'audio/mpeg', ending: 'mp3', at: 0, bytes: Buffer.from('ID3') },
  // Frames without a tag before them: MPEG-1 and -2 layer III, AAC in ADTS.
  ...['fffb', 'fffa', 'fff3', 'fff2'].map((sync) => {
    return { type: 'audio/mpeg', ending: 'mp3', at: 0, bytes: Buffer.from(sync, 'hex') }
  }),
  ...['fff1', 'fff9'].map((sync) => ({ type: 'audio/aac', ending: 'aac', at: 0, bytes: Buffer.from(sync, 'hex') })),
  { type: 'audio/ogg', ending: 'ogg', at: 0, bytes: Buffer.from('OggS') },
  { type: 'audio/flac', ending: 'flac', at: 0, bytes: Buffer.from('fLaC') },
  { type: 'application/pdf', ending: 'pdf', at: 0, bytes: Buffer.from('%PDF-') },
  { type: 'application/zip', ending: 'zip', at: 0, bytes: Buffer.from('504b0304', 'hex') },
  { type: 'application/gzip', ending: 'gz', at: 0, bytes: Buffer.from('1f8b', 'hex') },
]

/** Null for what is none of the kinds that are known here. */
export function fileKindOf(body: Buffer): FileKind | null {
  return kinds.find(({ at, bytes }) => body.subarray(at, at + bytes.length).equals(bytes)) ?? null
}
