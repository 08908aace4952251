"""RFC 6455, server side. Knows nothing of Engine.IO."""
