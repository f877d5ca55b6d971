import assert from 'node:assert/strict'
import { test } from 'node:test'
import { searchIndex, wordsOf } from './search.ts'

const operations = [
  ['issues_list-for-repo', 'List repository issues.'],
  ['issues_create', 'Create an issue. Opens it in the repository.'],
  ['issues_create-comment', 'Create an issue comment.'],
  ['pulls_list', 'List pull requests; issues of pull requests too.'],
  ['repos_delete', 'Delete a repository.'],
  ['meta_root', 'The root of the API.'],
] as const
const index = searchIndex(operations, ([name, text]) => ({ name, title: '', text }))
const find = (query: string, words: 'all' | 'most' = 'most') =>
  index.search(query, { limit: 10, words }).map(([name]) => name)

test('M09 the best operation comes first: names before descriptions, whole words before beginnings', () => {
  assert.equal(find('create issue')[0], 'issues_create')
  assert.equal(find('create issue comment')[0], 'issues_create-comment')
  assert.equal(find('pull requests')[0], 'pulls_list')
  assert.equal(find('remove repository')[0], 'repos_delete')
  assert.equal(find('pulls_list')[0], 'pulls_list')
})

test('M09 rare words tell more than common ones, and an item that is called like the query comes before all others', () => {
  const texts = ['common one', 'common two', 'common three', 'unusual four']
  const byText = searchIndex(texts, (text) => ({ name: '', title: '', text }))
  assert.equal(byText.search('common unusual', { limit: 1, words: 'most' })[0], 'unusual four')
  const named = searchIndex(
    [
      ['list_all', 'all list all list'],
      ['list', 'Something else.'],
    ] as const,
    ([name, text]) => ({ name, title: 'list', text }),
  )
  assert.equal(named.search('list', { limit: 1, words: 'most' })[0]![0], 'list')
  const inText = searchIndex(
    [
      ['other', 'invoice'],
      ['invoice', 'other'],
    ] as const,
    ([name, text]) => ({ name, title: '', text }),
  )
  assert.equal(inText.search('invoices', { limit: 1, words: 'most' })[0]![0], 'invoice')
})

test('words are found by their beginnings, in singular and plural, within joined words', () => {
  assert.ok(find('iss').includes('issues_create'))
  assert.ok(find('comments').includes('issues_create-comment'))
  assert.deepEqual(wordsOf('listHTTPQueries chat.postMessage'), ['list', 'http', 'query', 'chat', 'post', 'message'])
})

test('every word must match where all are asked for; most of them otherwise', () => {
  assert.deepEqual(find('issue unicorn', 'all'), [])
  assert.ok(find('create issue unicorn').length > 0)
  assert.deepEqual(find('unicorn'), [])
})

test('an empty query gives the items in their order, and a limit holds', () => {
  assert.deepEqual(
    find(''),
    operations.map(([name]) => name),
  )
  assert.equal(index.search('', { limit: 2, words: 'most' }).length, 2)
  assert.deepEqual(find('issue'), find('issue'))
})
