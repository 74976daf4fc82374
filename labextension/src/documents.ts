import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { IDocumentManager } from '@jupyterlab/docmanager';
import type { DocumentRegistry } from '@jupyterlab/docregistry';

import type { IDocuments } from './versions-model';

/** The path in the project directory; empty for what lies on a tier. */
export function inProject(app: JupyterFrontEnd, path: string): string {
  const { contents } = app.serviceManager;
  // With real-time collaboration the same files have another drive.
  return ['', 'RTC'].includes(contents.driveName(path)) ? contents.localPath(path) : '';
}

/** Files as JupyterLab has them open. */
export function documentsOf(app: JupyterFrontEnd, manager: IDocumentManager): IDocuments {
  const all = (): Map<string, DocumentRegistry.Context> => {
    const found = new Map<string, DocumentRegistry.Context>();
    for (const widget of app.shell.widgets('main')) {
      const context = manager.contextForWidget(widget);
      const path = context ? inProject(app, context.path) : '';
      if (context && path) {
        found.set(path, context);
      }
    }
    return found;
  };
  return {
    paths: () => [...all().keys()],
    isDirty: path => all().get(path)?.model.dirty ?? false,
    save: async path => {
      await all().get(path)?.save();
    },
    reload: async path => {
      await all().get(path)?.revert();
    }
  };
}
