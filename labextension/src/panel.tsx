import { PanelWithToolbar, ReactWidget, SidePanel } from '@jupyterlab/ui-components';
import type { ITranslator } from '@jupyterlab/translation';
import type { Message } from '@lumino/messaging';
import type { AccordionPanel, Widget } from '@lumino/widgets';
import * as React from 'react';

import type { IPanelContext } from './components/context';
import { Experiments } from './components/Experiments';
import { Files } from './components/Files';
import { Fork } from './components/Fork';
import { History } from './components/History';
import { Snapshots } from './components/Snapshots';
import { Storages } from './components/Storages';
import { Tiers } from './components/Tiers';
import { Transfers } from './components/Transfers';
import { hasFiles } from './dnd';
import { storageIcon } from './icons';

/** What each section gets of the height at first, and once it is opened; null: closed at first. */
const SHARES = [34, 36, 9, 9, 12, null, null];
const OPENED = 0.25;
const STORAGES = SHARES.length - 1;

/** The sidebar: tiers, files, transfers, snapshots, history, experiments, storages. */
export class StoragePanel extends SidePanel {
  constructor(context: IPanelContext, translator: ITranslator) {
    super({ translator });
    const { trans } = context;
    this.id = 'jp-storage-panel';
    this.addClass('jp-Storage');
    this.title.icon = storageIcon;
    this.title.caption = trans.__('Storage');
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', trans.__('Storage'));
    const notice = ReactWidget.create(<Fork context={context} />);
    notice.addClass('jp-Storage-notice');
    this.header.addWidget(notice);
    this.files = section(trans.__('Files'), <Files context={context} />);
    for (const widget of [
      section(trans.__('Tiers'), <Tiers context={context} />),
      this.files,
      section(trans.__('Transfers'), <Transfers context={context} />),
      section(trans.__('Snapshots'), <Snapshots context={context} />),
      section(trans.__('History'), <History context={context} history={context.model.history} />),
      section(trans.__('Experiments'), <Experiments context={context} />),
      section(trans.__('Storages'), <Storages context={context} />)
    ]) {
      this.addWidget(widget);
    }
    // A drop beside the targets would make the browser leave JupyterLab for the file.
    for (const type of ['dragover', 'drop'] as const) {
      this.node.addEventListener(type, event => {
        if (!event.defaultPrevented && hasFiles(event.dataTransfer)) {
          event.preventDefault();
          event.dataTransfer.dropEffect = 'none';
        }
      });
    }
    const sections = this.content as AccordionPanel;
    this.share(sections);
    const { storages } = context.model;
    let empty = true;
    storages.changed.connect(() => {
      const wasEmpty = empty;
      empty = storages.mounts.length === 0 && storages.storages.length === 0;
      if (wasEmpty && !empty) {
        sections.expand(STORAGES);
      }
    });
  }

  /** Give the keyboard to the files, else to the tiers. */
  protected override onActivateRequest(msg: Message): void {
    super.onActivateRequest(msg);
    if (!this.node.contains(document.activeElement)) {
      const find = (selector: string) => this.node.querySelector<HTMLElement>(selector);
      const rows = find(".jp-Storage-item[tabindex='0'], .jp-Storage-rows[tabindex='0']");
      (rows ?? find('.jp-Storage-tierButton'))?.focus();
    }
  }

  /** A page that is loaded again lays sections out once without any height: all are even then. */
  protected override onResize(msg: Widget.ResizeMessage): void {
    super.onResize(msg);
    const sections = this.content as AccordionPanel;
    const sizes = sections.relativeSizes();
    const opened = sizes.filter((_, index) => !sections.widgets[index].isHidden);
    // Nobody drags borders to the same height to the millionth.
    if (opened.length > 1 && opened.every(size => Math.abs(size - opened[0]) < 1e-6)) {
      sections.setRelativeSizes(SHARES.map(share => share ?? 0));
    }
  }

  private share(sections: AccordionPanel): void {
    SHARES.forEach((share, index) => {
      if (share === null) {
        sections.collapse(index);
      }
    });
    sections.setRelativeSizes(SHARES.map(share => share ?? 0));
    // One that had no room yet would be opened without any.
    sections.expansionToggled.connect((_, opened) => {
      const sizes = sections.relativeSizes();
      if (!sections.widgets[opened].isHidden && sizes[opened] === 0) {
        sections.setRelativeSizes(
          sizes.map((size, index) => (index === opened ? OPENED : size * (1 - OPENED)))
        );
      }
    });
  }

  /** The section with the files, whose toolbar the schema fills. */
  readonly files: PanelWithToolbar;
}

function section(title: string, content: React.JSX.Element): PanelWithToolbar {
  const panel = new PanelWithToolbar();
  panel.title.label = title;
  panel.addClass('jp-Storage-section');
  panel.addWidget(ReactWidget.create(content));
  return panel;
}
