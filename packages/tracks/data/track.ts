import type { Stage } from '@crossfade/model/stage.ts'
import type { Track, Ways } from '../contract/track.ts'
import { catchUpStep } from './catch-up.ts'
import { copyStep, planCopyStep } from './copy.ts'
import { cutoverStep, settle } from './cutover.ts'
import { taskHandlers } from './handlers.ts'
import { backupStep, compareSchemasStep, controlSchemaStep, createSchemaStep, publishStep } from './preparation.ts'
import {
  archiveStep,
  dropReverseStep,
  removeSourceStep,
  removeTargetStep,
  retireTasksStep,
  stopTasksStep,
} from './removal.ts'
import { prepareFencesStep, reverseStreamsStep } from './reverse.ts'
import { schemaWorkStep } from './schema-work.ts'
import { quietUpkeep, standingUpkeep } from './upkeep.ts'
import { verifyStep } from './verification.ts'

/** The data itself: copied and followed, verified, cut over, kept current the other way, and let go. */
export const dataTrack: Track = {
  name: 'data',
  transitions: {
    off: {
      up: [
        backupStep,
        controlSchemaStep,
        publishStep,
        createSchemaStep,
        planCopyStep,
        copyStep,
        schemaWorkStep('secondary'),
        catchUpStep('catch-up-first'),
        schemaWorkStep('final'),
        compareSchemasStep,
        catchUpStep('catch-up'),
      ],
      down: [],
    },
    dualwrite: {
      up: [verifyStep],
      down: [stopTasksStep, removeTargetStep('with-schema'), removeSourceStep],
    },
    shadow: {
      up: [reverseStreamsStep, prepareFencesStep('source'), cutoverStep('target')],
      down: [dropReverseStep],
    },
    live: {
      up: [catchUpStep('catch-up-reverse')],
      down: [prepareFencesStep('target'), cutoverStep('source')],
    },
    rampdown: {
      up: [retireTasksStep, archiveStep, removeTargetStep('keep-schema'), removeSourceStep],
      down: [],
    },
    complete: { up: [], down: [] },
  } satisfies Record<Stage, Ways>,
  upkeep: {
    off: quietUpkeep,
    dualwrite: standingUpkeep,
    shadow: standingUpkeep,
    live: standingUpkeep,
    rampdown: standingUpkeep,
    complete: quietUpkeep,
  },
  handlers: taskHandlers,
  settle,
}
