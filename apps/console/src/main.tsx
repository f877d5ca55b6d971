import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { App } from './app.tsx'
import './theme/tokens.css'
import './theme/base.css'
import './theme/basics.css'
import './theme/actions.css'
import './theme/ladder.css'
import './theme/moves.css'
import './theme/shards.css'
import './theme/migrations.css'
import './theme/figures.css'
import './theme/evidence.css'
import './theme/services.css'
import './theme/instances.css'
import './theme/imports.css'

createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <App />
  </StrictMode>,
)
