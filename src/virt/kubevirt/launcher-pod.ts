/** The Pods that KubeVirt runs guests in, by their labels and the names in them. */
export const LAUNCHER_LABEL = 'kubevirt.io'
export const LAUNCHER = 'virt-launcher'
/** On such a Pod: the uid of the VMI it runs. */
export const CREATED_BY_LABEL = 'kubevirt.io/created-by'
/** Its container that copies the serial console to its own output. */
export const CONSOLE_CONTAINER = 'guest-console-log'
