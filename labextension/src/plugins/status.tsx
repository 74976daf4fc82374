import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { IStatusBar } from '@jupyterlab/statusbar';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { ReactWidget } from '@jupyterlab/ui-components';
import * as React from 'react';

import { StatusItem } from '../components/StatusItem';
import type { StorageModel } from '../model';
import { CommandIDs, IStorage, PANEL_ID } from '../tokens';

/** The state of the snapshots in the status bar. */
export const statusPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-storage:status',
  description: 'The state of the snapshots in the status bar.',
  autoStart: true,
  requires: [IStorage],
  // Notebook 7 has no status bar.
  optional: [IStatusBar, ITranslator, ISettingRegistry],
  activate: async (
    app: JupyterFrontEnd,
    model: StorageModel,
    statusBar: IStatusBar | null,
    translator: ITranslator | null,
    settingRegistry: ISettingRegistry | null
  ): Promise<void> => {
    if (!statusBar) {
      return;
    }
    const trans = (translator ?? nullTranslator).load('jupyter_storage');
    let shown = true;
    statusBar.registerStatusItem('jupyter-storage:status', {
      align: 'right',
      rank: 20,
      item: ReactWidget.create(
        <StatusItem
          model={model}
          trans={trans}
          onClick={() => void app.commands.execute(CommandIDs.show)}
        />
      ),
      isActive: () => shown && model.snapshots?.state !== 'off',
      activeStateChanged: model.changed
    });
    if (settingRegistry) {
      const settings = await settingRegistry.load(PANEL_ID);
      const apply = () => {
        shown = settings.get('showStatus').composite !== false;
        void model.refreshSnapshots();
      };
      settings.changed.connect(apply);
      apply();
    }
  }
};
