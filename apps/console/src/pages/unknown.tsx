import { Empty } from '../parts/basics.tsx'
import { linkTo, type Route } from '../router.ts'
import { useTitle } from '../state/use-title.ts'

/** For an address that leads nowhere. */
export function UnknownPage({ path, home }: { path: string; home: Route }) {
  useTitle('No such page')
  return (
    <Empty title="There is no such page" isPage>
      <p>
        <code>{path}</code> leads nowhere. <a {...linkTo(home)}>All {home.page}</a>
      </p>
    </Empty>
  )
}
