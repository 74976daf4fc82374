import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { IDocumentManager } from '@jupyterlab/docmanager';
import type { DocumentRegistry } from '@jupyterlab/docregistry';
import { ServerConnection } from '@jupyterlab/services';

import type { IDocuments } from './versions-model';

/** The path in the project directory; empty for what lies on a tier. */
export function inProject(app: JupyterFrontEnd, path: string): string {
  const { contents } = app.serviceManager;
  // With real-time collaboration the same files have another drive.
  return ['', 'RTC'].includes(contents.driveName(path)) ? contents.localPath(path) : '';
}

/** Whether a file exists; one that is gone stays open as it was. */
async function isThere(app: JupyterFrontEnd, path: string): Promise<boolean> {
  try {
    await app.serviceManager.contents.get(path, { content: false });
    return true;
  } catch (error) {
    if (error instanceof ServerConnection.ResponseError && error.response.status === 404) {
      return false;
    }
    throw error;
  }
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
      const context = all().get(path);
      if (context && (await isThere(app, context.path))) {
        await context.revert();
      }
    }
  };
}
