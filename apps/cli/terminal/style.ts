import { styleText } from 'node:util'

type Format = Parameters<typeof styleText>[0]

/** Colours where the terminal has them and NO_COLOR is not set; plain text otherwise. */
function styled(format: Format): (text: string) => string {
  return (text) => styleText(format, text, { stream: process.stderr, validateStream: true })
}

export const colour = {
  red: styled('red'),
  green: styled('green'),
  yellow: styled('yellow'),
  cyan: styled('cyan'),
  bold: styled('bold'),
  dim: styled('dim'),
}
