import type { JupyterFrontEnd } from '@jupyterlab/application';
import { inspectorIcon, ReactWidget } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { IPanelContext } from './components/context';
import { typeSpace } from './components/keys';
import { Preview } from './components/Preview';
import { addWithRoom } from './room';
import { CommandIDs } from './tokens';

const ID = 'jp-storage-preview';

/**
 * The preview in the main area. It takes no focus: that stays among the rows, and the preview goes
 * with it.
 */
class PreviewWidget extends ReactWidget {
  constructor(private readonly _context: IPanelContext) {
    super();
    this.id = ID;
    this.addClass('jp-Storage');
    this.addClass('jp-Storage-previewPanel');
    this.title.icon = inspectorIcon;
    this.title.closable = true;
    this.node.addEventListener('keydown', event => {
      if (event.key === 'Escape') {
        event.stopPropagation();
        const { model, preview } = this._context;
        preview.close();
        model.browser.focus(model.browser.active, 'keep');
      }
    });
  }

  /** Closed by its tab, it is gone too: else it would count as open, and be nowhere. */
  protected override onCloseRequest(): void {
    this.dispose();
  }

  override dispose(): void {
    if (!this.isDisposed) {
      super.dispose();
      this._context.preview.close();
    }
  }

  protected render(): React.JSX.Element {
    return <Preview context={this._context} />;
  }
}

/** Add the command, and show in the main area what it asks for. */
export function addPreview(app: JupyterFrontEnd, context: IPanelContext): void {
  const { model, preview, trans } = context;
  let widget: PreviewWidget | null = null;
  preview.changed.connect(() => {
    if (!preview.shown) {
      const open = widget;
      widget = null;
      open?.dispose();
      return;
    }
    if (!widget) {
      widget = new PreviewWidget(context);
      addWithRoom(app.shell, widget, { activate: false, type: 'Storage Preview' });
      app.shell.activateById(ID);
    }
    widget.title.label = preview.entry?.name ?? trans.__('Preview');
    widget.title.caption = trans.__('Preview of %1', preview.entry?.path ?? '');
  });
  app.commands.addCommand(CommandIDs.preview, {
    label: trans.__('Preview'),
    caption: trans.__('Show what is in the file, and what is known of it'),
    icon: inspectorIcon,
    describedBy: { args: { type: 'object', properties: {} } },
    isEnabled: () => model.browser.entries.length > 0,
    isToggled: () => preview.shown,
    execute: () => {
      if (typeSpace(model.browser)) {
        return;
      }
      if (preview.shown) {
        preview.close();
      } else {
        model.browser.focus(model.browser.active);
        preview.open();
      }
    }
  });
}
