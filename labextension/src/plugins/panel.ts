import {
  ILayoutRestorer,
  type JupyterFrontEnd,
  type JupyterFrontEndPlugin
} from '@jupyterlab/application';
import {
  createToolbarFactory,
  ICommandPalette,
  IToolbarWidgetRegistry,
  setToolbar
} from '@jupyterlab/apputils';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { IStateDB } from '@jupyterlab/statedb';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { Throttler } from '@lumino/polling';

import { announceEnds } from '../announcing';
import { Columns } from '../columns';
import { addCommands } from '../commands';
import { StorageModel } from '../model';
import { StoragePanel } from '../panel';
import { PreviewModel } from '../preview-model';
import { addPreview } from '../previewing';
import { remember } from '../remembering';
import { Requests } from '../requests';
import { CommandIDs, IStorage, PANEL_ID } from '../tokens';
import { storageIcon } from '../icons';
import { askConflict } from '../uploads/dialogs';

/** The name under which the schema knows the toolbar. */
const TOOLBAR = 'StorageFiles';

/** The sidebar and every command. */
export const panelPlugin: JupyterFrontEndPlugin<StorageModel> = {
  id: PANEL_ID,
  description: 'A sidebar with storage tiers, their files, transfers and snapshots.',
  autoStart: true,
  provides: IStorage,
  optional: [
    ITranslator,
    ILayoutRestorer,
    ISettingRegistry,
    IToolbarWidgetRegistry,
    ICommandPalette,
    IStateDB
  ],
  activate: (
    app: JupyterFrontEnd,
    translator: ITranslator | null,
    restorer: ILayoutRestorer | null,
    settings: ISettingRegistry | null,
    toolbars: IToolbarWidgetRegistry | null,
    palette: ICommandPalette | null,
    state: IStateDB | null
  ): StorageModel => {
    const languages = translator ?? nullTranslator;
    const trans = languages.load('jupyter_storage');
    const { serverSettings, events } = app.serviceManager;
    const model = new StorageModel({
      requests: new Requests(serverSettings),
      events,
      ask: question => askConflict(question, trans)
    });
    addCommands(app, model, trans);
    const columns = new Columns();
    const preview = new PreviewModel(model.browser, model.requests);
    const { commands, docRegistry } = app;
    const context = { model, columns, preview, trans, commands, docRegistry };
    addPreview(app, context);
    if (state) {
      void remember(model, columns, state);
    }
    const panel = new StoragePanel(context, languages);
    if (settings && toolbars) {
      setToolbar(
        panel.files,
        createToolbarFactory(toolbars, settings, TOOLBAR, PANEL_ID, languages)
      );
    }
    app.commands.addCommand(CommandIDs.show, {
      label: trans.__('Show Storage'),
      caption: trans.__('Open the sidebar with tiers, transfers and snapshots'),
      icon: storageIcon,
      describedBy: { args: { type: 'object', properties: {} } },
      execute: () => app.shell.activateById(panel.id)
    });
    announceEnds(
      model,
      () => panel.isVisible && !document.hidden,
      () => void app.commands.execute(CommandIDs.show),
      trans
    );
    const notify = () => {
      for (const id of Object.values(CommandIDs)) {
        app.commands.notifyCommandChanged(id);
      }
    };
    // An upload of many files changes the model thousands of times.
    const soon = new Throttler(notify, { limit: 50, edge: 'trailing' });
    for (const { changed } of [model.browser, preview, model]) {
      changed.connect(() => void soon.invoke());
    }
    for (const id of Object.values(CommandIDs)) {
      palette?.addItem({ command: id, category: trans.__('Storage') });
    }
    app.shell.add(panel, 'left', { rank: 150, type: 'Storage' });
    restorer?.add(panel, panel.id);
    window.addEventListener('beforeunload', event => {
      if (model.uploads.busy) {
        event.preventDefault();
      }
    });
    // Not awaited: a tier that does not answer must not hold up the application.
    void model.refreshTiers();
    return model;
  }
};
