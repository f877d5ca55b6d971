import { useEffect, useRef } from 'react'
import uPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'

export interface DayLine {
  readonly label: string
  readonly values: readonly (number | null)[]
  /** A colour's name in the palette; without one the next of a row. */
  readonly colour?: string
}

const plotHeight = 190
const colours = ['--accent', '--source', '--warn', '--good', '--bad', '--text-2'] as const

/** Lines or bars over days or hours. `at`: milliseconds since 1970, rising. */
export function DayPlot({
  title,
  at,
  lines,
  kind,
  by,
  format,
}: {
  title: string
  at: readonly number[]
  lines: readonly DayLine[]
  kind: 'bars' | 'lines'
  by: 'day' | 'hour'
  format: (value: number | null) => string
}) {
  const place = useRef<HTMLDivElement>(null)
  useEffect(() => {
    const element = place.current!
    let plot: uPlot | undefined
    const build = () => {
      plot?.destroy()
      const data = [at.map((one) => one / 1_000), ...lines.map(({ values }) => values)] as uPlot.AlignedData
      plot = new uPlot(optionsOf(element.clientWidth, lines, kind, by, format), data, element)
      // The plot draws itself after this turn, and empties the legend then.
      const built = plot
      requestAnimationFrame(() => built === plot && showLatest(built))
    }
    build()
    const sizes = new ResizeObserver(() => plot?.setSize({ width: element.clientWidth, height: plotHeight }))
    sizes.observe(element)
    const themes = new MutationObserver(build)
    themes.observe(document.documentElement, { attributeFilter: ['data-theme'] })
    return () => {
      sizes.disconnect()
      themes.disconnect()
      plot?.destroy()
    }
  }, [at, lines, kind, by, format])
  return (
    <figure className="plot">
      <figcaption>{title}</figcaption>
      <div ref={place} className="plot-place" role="img" aria-label={`${title}; the table below has the figures`} />
    </figure>
  )
}

function optionsOf(
  width: number,
  lines: readonly DayLine[],
  kind: 'bars' | 'lines',
  by: 'day' | 'hour',
  format: (value: number | null) => string,
): uPlot.Options {
  const style = getComputedStyle(document.documentElement)
  const colour = (name: string) => style.getPropertyValue(name).trim()
  const axis = {
    stroke: colour('--text-3'),
    grid: { stroke: colour('--line'), width: 1 },
    ticks: { show: false },
    font: '11px system-ui',
  }
  // Periods are counted in UTC.
  const shown = new Intl.DateTimeFormat('en-GB', {
    timeZone: 'UTC',
    ...(by === 'day' ? { day: 'numeric', month: 'short' } : { hour: '2-digit', minute: '2-digit' }),
  })
  const time = (seconds: number) => shown.format(seconds * 1_000)
  const stepSeconds = by === 'day' ? 86_400 : 3_600
  const bars = kind === 'bars' ? uPlot.paths.bars!({ size: [0.7, 40] }) : undefined
  return {
    width,
    height: plotHeight,
    padding: [8, 12, 0, 0],
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1_000), 'Etc/UTC'),
    cursor: { drag: { x: false, y: false }, points: { size: 6 } },
    legend: { live: true },
    scales: {
      x: { range: (_plot, min, max) => [min - stepSeconds / 2, max + stepSeconds / 2] },
      y: { range: (_plot, _min, max) => [0, max > 0 ? max * 1.1 : 1] },
    },
    axes: [
      {
        ...axis,
        size: 28,
        space: 60,
        incrs: [1, 2, 3, 7, 14].map((steps) => steps * stepSeconds),
        values: (_plot, ticks) => ticks.map(time),
      },
      {
        ...axis,
        size: 56,
        space: 34,
        values: (_plot, ticks) => ticks.map((tick) => (kind === 'bars' && !Number.isInteger(tick) ? '' : format(tick))),
      },
    ],
    series: [
      { label: 'at', value: (_plot, value) => (value === null ? '–' : time(value)) },
      ...lines.map(({ label, colour: own }, index) => ({
        label,
        stroke: colour(own ?? colours[index % colours.length]!),
        width: kind === 'bars' ? 0 : 1.8,
        ...(bars && { paths: bars, fill: colour(own ?? colours[index % colours.length]!) }),
        points: { show: kind === 'lines', size: 5 },
        spanGaps: true,
        value: (_plot: uPlot, value: number | null) => format(value ?? null),
      })),
    ],
    hooks: { setCursor: [showLatest], setData: [showLatest] },
  }
}

/** While nobody points at the plot its legend tells the latest figures. */
function showLatest(plot: uPlot): void {
  const last = plot.data[0].length - 1
  if ((plot.cursor.idx ?? null) === null && last >= 0) plot.setLegend({ idx: last })
}
