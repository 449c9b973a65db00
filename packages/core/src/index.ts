/**
 * The domain of Context Infra: what there is, what may be done to it, and the ports it needs.
 *
 * Everything is also at a path of its own (`@context-engine/core/Commands`), which loads faster.
 */
export { type Aggregate, streamOf } from "./Aggregate.js"
export { Commands } from "./Commands.js"
export * from "./Errors.js"
export { define, type Event, type Meta, type Recorded } from "./Event.js"
export { EventLog, type NewEvent, type StreamAppend } from "./EventLog.js"
export { Fold } from "./Fold.js"
export { Origin } from "./Origin.js"
export type { Projection } from "./Projection.js"
export { type Query, ReadModels, type View } from "./ReadModels.js"
export { HostKeyPrompt, Remote } from "./Remote.js"
export { layer as layerAsOf } from "./services/AsOf.js"
export { Deployer } from "./services/Deployer.js"
export { Fleet } from "./services/Fleet.js"
export { Health } from "./services/Health.js"
export { Hosts } from "./services/Hosts.js"
export { Lifecycle } from "./services/Lifecycle.js"
export { Logs } from "./services/Logs.js"
export { layer as layerServices, type Services } from "./services/layer.js"
export { Overview } from "./services/Overview.js"
export { Registry } from "./services/Registry.js"
export { RunCommand } from "./services/RunCommand.js"
