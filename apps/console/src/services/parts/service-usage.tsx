import { Empty, Loading, Trouble } from '../../parts/basics.tsx'
import { linkTo } from '../../router.ts'
import { useTick } from '../../state/use-tick.ts'
import type { Usage } from '../contract.ts'
import { useKept } from '../use-kept.ts'
import { UsageFigures } from './usage-figures.tsx'

/** Usage is written in batches; a look now and then is enough. */
const refreshMs = 5_000

/** What the user used of one service in the last 30 days. */
export function ServiceUsage({ serviceType }: { serviceType: string }) {
  const now = useTick(refreshMs)
  const { data, error } = useKept<Usage>(`/user/usage?${new URLSearchParams({ serviceType })}`, now)
  if (!data) return error === null ? <Loading what="usage" /> : <Trouble error={error} />
  if (data.totals.requests === 0) {
    return (
      <Empty title="No call in the last 30 days">
        <p>
          Paste the address into a client, or{' '}
          <a {...linkTo({ page: 'service', serviceType, tab: 'try' })}>try a tool from here</a>. Calls show up within
          seconds.
        </p>
      </Empty>
    )
  }
  return <UsageFigures usage={data} serviceType={serviceType} />
}
