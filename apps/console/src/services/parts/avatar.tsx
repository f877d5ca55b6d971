/** The first letters of a service on a ground of its own, so that the eye finds it again. */
export function Avatar({ name, large = false }: { name: string; large?: boolean }) {
  const hue = [...name].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 360, 7)
  const words = name.split(/[\s.-]+/).filter(Boolean)
  const letters = words.length > 1 ? `${words[0]![0]}${words[1]![0]}` : name.slice(0, 2)
  return (
    <span
      className={large ? 'avatar avatar-large' : 'avatar'}
      style={{ '--hue': hue } as React.CSSProperties}
      aria-hidden="true"
    >
      {letters}
    </span>
  )
}
