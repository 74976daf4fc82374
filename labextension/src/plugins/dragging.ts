import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { showErrorMessage } from '@jupyterlab/apputils';
import { type FileBrowser, IDefaultFileBrowser } from '@jupyterlab/filebrowser';
import type { Terminal } from '@jupyterlab/services';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import type { Widget } from '@lumino/widgets';

import { type ICell, insertAt, textFor } from '../cells';
import { draggedPaths, hasPaths } from '../dragging';
import { explain } from '../errors';
import type { StorageModel } from '../model';
import { paste } from '../pasting';
import { fromContents } from '../paths';
import { IStorage } from '../tokens';

/** What lies on tiers can be dropped on JupyterLab's own file browser, on cells and on terminals. */
export const draggingPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-storage:dragging',
  description: 'Rows of the panel, dropped on the file browser, on cells and on terminals.',
  autoStart: true,
  requires: [IStorage],
  optional: [IDefaultFileBrowser, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    model: StorageModel,
    browser: IDefaultFileBrowser | null,
    translator: ITranslator | null
  ): void => {
    const trans = (translator ?? nullTranslator).load('jupyter_storage');
    if (browser) {
      onDrop(browser.node, '.jp-DirListing', event => {
        const directory = directoryAt(browser, event);
        const sources = draggedPaths(event.dataTransfer, directory);
        if (sources.length > 0) {
          paste(model, event.shiftKey ? 'move' : 'copy', sources, directory, trans)
            .then(record => record && model.settle(record))
            .then(() => browser.model.refresh())
            .catch(error => showErrorMessage(trans.__('Copy'), explain(error)));
        }
      });
    }
    /** What a window of the main area shows, if the pointer is on it. */
    const contentAt = (event: Event): Widget | undefined =>
      [...app.shell.widgets('main')]
        .map(widget => ('content' in widget ? (widget.content as Widget) : widget))
        .find(content => content.node.contains(event.target as Node));
    // Where the shell's windows may come and go.
    onDrop(document.body, '.jp-Notebook .jp-CodeCell .cm-editor', event => {
      const notebook = contentAt(event);
      const cells = notebook && 'widgets' in notebook ? (notebook.widgets as ICell[]) : [];
      const cell = cells.find(each => each.node.contains(event.target as Node));
      const paths = draggedPaths(event.dataTransfer, '');
      const entries = model.browser.entries.filter(({ path }) => paths.includes(path));
      if (cell) {
        insertAt(cell, event, (...place) => textFor(entries, model.tiers, ...place));
      }
    });
    onDrop(document.body, '.jp-Terminal', event => {
      const content = contentAt(event);
      if (content && 'session' in content) {
        const text = event.dataTransfer.getData('text/plain').split('\n').map(quoted).join(' ');
        const session = content.session as Terminal.ITerminalConnection;
        session.send({ type: 'stdin', content: [`${text} `] });
        content.activate();
      }
    });
  }
};

/** Take drops of the panel's rows before anybody else does. */
function onDrop(
  node: HTMLElement,
  selector: string,
  take: (event: DragEvent & { dataTransfer: DataTransfer }) => void
): void {
  const handle = (event: DragEvent) => {
    if (hasPaths(event.dataTransfer) && (event.target as Element).closest(selector)) {
      event.preventDefault();
      event.stopPropagation();
      event.dataTransfer.dropEffect = event.shiftKey ? 'move' : 'copy';
      if (event.type === 'drop') {
        take(event as DragEvent & { dataTransfer: DataTransfer });
      }
    }
  };
  for (const type of ['dragenter', 'dragover', 'drop'] as const) {
    node.addEventListener(type, handle, true);
  }
}

/** The folder under the pointer, else the one that is shown. */
function directoryAt(browser: FileBrowser, event: MouseEvent): string {
  const item = browser.modelForClick(event);
  return fromContents(item?.type === 'directory' ? item.path : browser.model.path);
}

/** A word of a shell. */
function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
