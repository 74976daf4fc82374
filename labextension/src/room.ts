import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { DocumentRegistry } from '@jupyterlab/docregistry';
import type { Widget } from '@lumino/widgets';

/**
 * The area for what needs room: JupyterLab's main area; in Notebook 7, whose main area holds the one
 * document of its window, the panel below.
 */
export function roomIn(shell: JupyterFrontEnd.IShell): 'main' | 'down' {
  // Only JupyterLab's shell has modes.
  return 'mode' in shell ? 'main' : 'down';
}

/** Add a widget where there is room. */
export function addWithRoom(
  shell: JupyterFrontEnd.IShell,
  widget: Widget,
  options?: DocumentRegistry.IOpenOptions
): void {
  const area = roomIn(shell);
  // The panel below would begin with no height at all.
  widget.toggleClass('jp-Storage-below', area === 'down');
  shell.add(widget, area, options);
}
