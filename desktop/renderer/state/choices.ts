/** What the user can choose to be, in the order in which it is offered. */
export const CHOICES = ["auto", "online", "idle", "busy", "appear_offline"] as const;
