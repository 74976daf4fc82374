import type { DocumentRegistry } from '@jupyterlab/docregistry';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { CommandRegistry } from '@lumino/commands';

import type { StorageModel } from '../model';

/** What every part of the panel is given. */
export interface IPanelContext {
  model: StorageModel;
  commands: CommandRegistry;
  docRegistry: DocumentRegistry;
  trans: TranslationBundle;
}
