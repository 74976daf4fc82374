import type { DocumentRegistry } from '@jupyterlab/docregistry';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { CommandRegistry } from '@lumino/commands';

import type { Columns } from '../columns';
import type { StorageModel } from '../model';
import type { PreviewModel } from '../preview-model';

/** What every part of the panel is given. */
export interface IPanelContext {
  model: StorageModel;
  columns: Columns;
  preview: PreviewModel;
  commands: CommandRegistry;
  docRegistry: DocumentRegistry;
  trans: TranslationBundle;
}
