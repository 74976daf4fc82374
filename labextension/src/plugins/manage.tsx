import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import {
  Clipboard,
  Dialog,
  ICommandPalette,
  InputDialog,
  MainAreaWidget,
  Notification,
  showDialog,
  showErrorMessage
} from '@jupyterlab/apputils';
import { ITranslator, nullTranslator, type TranslationBundle } from '@jupyterlab/translation';
import { addIcon, linkIcon, ReactWidget, terminalIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { TierForm } from '../components/TierForm';
import { Usage } from '../components/Usage';
import { explain } from '../errors';
import { usageIcon } from '../icons';
import type { StorageModel } from '../model';
import { nameOf, parentKey, parsePath, formatPath } from '../paths';
import type { ITier } from '../records';
import { addWithRoom, roomIn } from '../room';
import { directoryOf, EMPTY, nameFor, requestOf, valuesOf } from '../tier-form';
import { CommandIDs, IStorage } from '../tokens';

const HOUR = 3600;

/** Usage, links, added buckets and terminals. */
export const managePlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-storage:manage',
  description: 'Usage and clean-up of tiers, links to share, buckets of one’s own, terminals.',
  autoStart: true,
  requires: [IStorage],
  optional: [ITranslator, ICommandPalette],
  activate: (
    app: JupyterFrontEnd,
    model: StorageModel,
    translator: ITranslator | null,
    palette: ICommandPalette | null
  ): void => {
    const trans = (translator ?? nullTranslator).load('jupyter_storage');
    const { browser } = model;
    /** The tier that a command is about: named, under the pointer of a menu, or shown. */
    const tierOf = (args: { tier?: unknown }): ITier | undefined => {
      const hit = app.contextMenuHitTest(node => node.dataset.tier !== undefined);
      const name = typeof args.tier === 'string' ? args.tier : (hit?.dataset.tier ?? browser.tier);
      return model.tiers.find(tier => tier.name === name);
    };
    const guarded = async (title: string, work: () => Promise<void>) => {
      try {
        await work();
      } catch (error) {
        await showErrorMessage(title, explain(error));
      }
    };
    const args = { type: 'object', properties: { tier: { type: 'string' } } };

    app.commands.addCommand(CommandIDs.usage, {
      label: trans.__('Usage and Clean-Up'),
      caption: trans.__('What fills a tier, what is largest and oldest, and its trash'),
      icon: usageIcon,
      describedBy: { args },
      isEnabled: given => tierOf(given)?.state === 'ok',
      execute: given => {
        const name = tierOf(given)!.name;
        const id = `jp-storage-usage-${name}`;
        if (![...app.shell.widgets(roomIn(app.shell))].some(widget => widget.id === id)) {
          const content = ReactWidget.create(<Usage model={model} tier={name} trans={trans} />);
          content.addClass('jp-Storage');
          const widget = new MainAreaWidget({ content });
          widget.id = id;
          widget.title.closable = true;
          widget.title.label = trans.__('Usage of %1', name);
          widget.title.icon = usageIcon;
          addWithRoom(app.shell, widget);
        }
        app.shell.activateById(id);
      }
    });

    app.commands.addCommand(CommandIDs.shareLink, {
      label: trans.__('Share a Link…'),
      caption: trans.__('Copy a link that works without credentials, for a while'),
      icon: linkIcon,
      describedBy: { args: { type: 'object', properties: {} } },
      isEnabled: () => browser.selectedCount === 1 && browser.selected[0].type === 'file',
      execute: () =>
        guarded(trans.__('Share a Link'), () => shareLink(model, browser.selected[0].path, trans))
    });

    app.commands.addCommand(CommandIDs.addTier, {
      label: trans.__('Add a Bucket…'),
      caption: trans.__('Show a bucket as a tier, here and in notebooks and the shell'),
      icon: addIcon,
      describedBy: { args: { type: 'object', properties: {} } },
      execute: () => guarded(trans.__('Add a Bucket'), () => editTier(model, null, trans))
    });
    app.commands.addCommand(CommandIDs.editTier, {
      label: trans.__('Edit Bucket…'),
      caption: trans.__('Change how a bucket that was added here is reached'),
      describedBy: { args },
      isVisible: given => Boolean(tierOf(given)?.options),
      execute: given =>
        guarded(trans.__('Edit Bucket'), () => editTier(model, tierOf(given)!, trans))
    });
    app.commands.addCommand(CommandIDs.removeTier, {
      label: trans.__('Remove from the List…'),
      caption: trans.__('Take a bucket off the list; what lies in it stays'),
      describedBy: { args },
      isVisible: given => Boolean(tierOf(given)?.options),
      execute: given =>
        guarded(trans.__('Remove from the List'), () => removeTier(model, tierOf(given)!, trans))
    });

    app.commands.addCommand(CommandIDs.openTerminal, {
      label: trans.__('Open in Terminal'),
      caption: trans.__('Open a terminal in this folder'),
      icon: terminalIcon,
      describedBy: { args: { type: 'object', properties: {} } },
      isEnabled: () => browser.tier !== '' && !browser.error,
      execute: () =>
        guarded(trans.__('Open in Terminal'), async () => {
          const path = folderOf(model);
          const directory = directoryOf(path, model.tiers);
          if (directory === null) {
            hintForBucket(path, trans);
            return;
          }
          const session = await app.serviceManager.terminals.startNew({ cwd: directory });
          await app.commands.execute('terminal:open', { name: session.name });
          session.dispose();
        })
    });
    for (const command of [
      CommandIDs.usage,
      CommandIDs.shareLink,
      CommandIDs.addTier,
      CommandIDs.openTerminal
    ]) {
      palette?.addItem({ command, category: trans.__('Storage') });
    }
  }
};

/** The folder that is selected, else the one that is shown. */
function folderOf({ browser }: StorageModel): string {
  const [entry] = browser.selected;
  if (browser.selectedCount !== 1) {
    return browser.path;
  }
  const { tier, key } = parsePath(entry.path);
  return entry.type === 'directory' ? entry.path : formatPath(tier, parentKey(key));
}

function hintForBucket(path: string, trans: TranslationBundle): void {
  const command = `jupyter storage ls -l '${path.replace(/'/g, "'\\''")}'`;
  Notification.info(
    trans.__(
      'It lies in a bucket, which a terminal cannot enter. There, use the command %1, or mount it.',
      command
    ),
    {
      autoClose: 15_000,
      actions: [
        { label: trans.__('Copy Command'), callback: () => Clipboard.copyToSystem(command) }
      ]
    }
  );
}

async function shareLink(
  model: StorageModel,
  path: string,
  trans: TranslationBundle
): Promise<void> {
  const lives: [string, number][] = [
    [trans.__('15 minutes'), HOUR / 4],
    [trans.__('1 hour'), HOUR],
    [trans.__('1 day'), 24 * HOUR],
    [trans.__('7 days'), 7 * 24 * HOUR]
  ];
  const result = await InputDialog.getItem({
    title: trans.__('Share a Link'),
    label: trans.__(
      'Whoever has the link can read “%1” without credentials. For how long?',
      nameOf(path)
    ),
    items: lives.map(([label]) => label),
    current: 1,
    okLabel: trans.__('Copy Link')
  });
  const life = lives.find(([label]) => label === result.value);
  if (result.button.accept && life) {
    const { url } = await model.requests.link(path, life[1]);
    Clipboard.copyToSystem(url);
    Notification.success(
      trans.__('The link to “%1” is copied. It works for %2.', nameOf(path), life[0]),
      { autoClose: 8000 }
    );
  }
}

async function editTier(
  model: StorageModel,
  tier: ITier | null,
  trans: TranslationBundle
): Promise<void> {
  let values = tier ? valuesOf(tier) : EMPTY;
  let problem = '';
  const taken = model.tiers.map(other => other.name);
  for (;;) {
    const insist = problem !== '' && values.uri !== '';
    const result = await showDialog({
      title: tier ? trans.__('Edit “%1”', tier.name) : trans.__('Add a Bucket'),
      body: new TierForm({
        values,
        editing: tier !== null,
        problem,
        test: (name, request) => model.requests.putTier(name, request, true),
        trans
      }),
      buttons: [
        Dialog.cancelButton({ label: trans.__('Cancel') }),
        Dialog.okButton({
          label: insist ? trans.__('Try Again') : tier ? trans.__('Save') : trans.__('Add')
        })
      ],
      focusNodeSelector: 'input'
    });
    if (!result.button.accept || !result.value) {
      return;
    }
    values = result.value;
    const name = tier?.name ?? (values.name.trim() || nameFor(values.uri, taken));
    try {
      const request = requestOf(values);
      const found = await model.requests.putTier(name, request, true);
      if (found.state !== 'ok') {
        problem = `${found.reason ?? found.state}. ${found.hint ?? ''}`;
        continue;
      }
      await model.requests.putTier(name, request, false);
      await model.refreshTiers();
      await model.browser.open(name);
      return;
    } catch (error) {
      problem = explain(error);
    }
  }
}

async function removeTier(
  model: StorageModel,
  tier: ITier,
  trans: TranslationBundle
): Promise<void> {
  const result = await showDialog({
    title: trans.__('Remove “%1” from the List?', tier.name),
    body: trans.__(
      'What lies in %1 stays there. Paths that begin with “%2:” work no more.',
      tier.uri,
      tier.name
    ),
    buttons: [
      Dialog.cancelButton({ label: trans.__('Cancel') }),
      Dialog.warnButton({ label: trans.__('Remove') })
    ],
    defaultButton: 0
  });
  if (result.button.accept) {
    await model.requests.removeTier(tier.name);
    await model.refreshTiers();
    if (model.browser.tier === tier.name) {
      await model.browser.open(model.tiers[0].name);
    }
  }
}
