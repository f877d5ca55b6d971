// Before the first paint, so that a dark page never flashes white. A file of its own because the page forbids inline scripts.
document.documentElement.dataset.theme =
  localStorage.getItem('crossfade.theme') ?? (matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light')
