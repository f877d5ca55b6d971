import { useEffect } from 'react'
import { ApiError } from '../api/client.ts'
import { Actions } from '../parts/actions.tsx'
import { Banners } from '../parts/banners.tsx'
import { Badge, Card, Empty, Loading, Trouble } from '../parts/basics.tsx'
import { CopyPanel } from '../parts/copy.tsx'
import { Overview } from '../parts/overview.tsx'
import { PlanPanel } from '../parts/plan.tsx'
import { StreamsPanel } from '../parts/streams.tsx'
import { Timeline } from '../parts/timeline.tsx'
import { VerificationPanel } from '../parts/verification.tsx'
import { goTo, linkTo, type Tab, tabs } from '../router.ts'
import { type LiveMigration, useMigration } from '../state/use-migration.ts'
import { useTitle } from '../state/use-title.ts'
import { statusText, statusWord } from '../words.ts'

/** One migration, whole: where it stands, what it does, what proves it, and what can be done. */
export function MigrationPage({ id, tab }: { id: string; tab: Tab }) {
  const live = useMigration(id)
  const { migration, error } = live
  useTitle(
    ...(tab === 'overview' ? [] : [capitalized(tab)]),
    migration ? `${migration.name}: ${migration.stage}` : 'Migration',
  )
  useTabKeys(id)
  const isThere = migration !== null
  // On a narrow page the tabs do not all fit.
  useEffect(() => {
    if (isThere)
      document
        .querySelector(`.tab[href$="${tab === 'overview' ? id : tab}"]`)
        ?.scrollIntoView({ block: 'nearest', inline: 'nearest' })
  }, [isThere, id, tab])
  if (!migration) return <NotThere id={id} error={error} />
  return (
    <>
      <header className="page-head">
        <div>
          <h1>
            {migration.name} <Badge tone={statusWord[migration.status].tone}>{statusText(migration)}</Badge>
          </h1>
          <p className="muted">
            {migration.sourceShards} → {migration.targetShards} shards, {migration.tables} tables,{' '}
            <code>{migration.id}</code>
          </p>
        </div>
        <Actions migration={migration} onDone={live.reload} />
      </header>
      <Banners live={live} />
      <nav className="tabs" aria-label="Parts of the migration">
        {tabs.map((name, index) => (
          <a
            key={name}
            className={name === tab ? 'tab tab-on' : 'tab'}
            aria-current={name === tab ? 'page' : undefined}
            aria-keyshortcuts={String(index + 1)}
            title={`Key: ${index + 1}`}
            {...linkTo({ page: 'migration', id, tab: name })}
          >
            {name}{' '}
            {name === 'verification' && migration.openMismatches > 0 && (
              <b className="count">
                {migration.openMismatches}
                <span className="unseen"> open mismatches</span>
              </b>
            )}
          </a>
        ))}
      </nav>
      <Panel live={live} tab={tab} />
    </>
  )
}

function Panel({ live, tab }: { live: LiveMigration; tab: Tab }) {
  const migration = live.migration!
  switch (tab) {
    case 'overview':
      return <Overview migration={migration} reload={live.reload} />
    case 'copy':
      return <CopyPanel migration={migration} />
    case 'streams':
      return <StreamsPanel migration={migration} />
    case 'verification':
      return <VerificationPanel migration={migration} />
    case 'journal':
      return (
        <Card flush>
          <Timeline migration={migration} entries={live.entries} />
        </Card>
      )
    case 'plan':
      return <PlanPanel migration={migration} />
  }
}

function NotThere({ id, error }: { id: string; error: unknown }) {
  if (error === null) return <Loading what="the migration" />
  if (error instanceof ApiError && (error.status === 404 || error.status === 400)) {
    return (
      <Empty title="There is no such migration">
        <p>
          <code>{id}</code> is not in this control database. <a {...linkTo({ page: 'migrations' })}>All migrations</a>
        </p>
      </Empty>
    )
  }
  return <Trouble error={error} />
}

/** 1 to 6 lead to the tabs. */
function useTabKeys(id: string): void {
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (event.metaKey || event.ctrlKey || event.altKey) return
      if ((event.target as HTMLElement).closest('input, textarea, select, dialog')) return
      const tab = tabs[Number(event.key) - 1]
      if (tab) goTo({ page: 'migration', id, tab })
    }
    addEventListener('keydown', press)
    return () => removeEventListener('keydown', press)
  }, [id])
}

function capitalized(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1)
}
