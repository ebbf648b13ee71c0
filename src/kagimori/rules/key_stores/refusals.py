"""AWS KMS's errors about custom key stores.

Source: the exception shapes of the KMS service model (2014-11-01).
"""

from kagimori.rules.refusal import Refusal


class CloudHsmClusterInUseException(Refusal):
    pass


class CloudHsmClusterInvalidConfigurationException(Refusal):
    pass


class CloudHsmClusterNotActiveException(Refusal):
    pass


class CloudHsmClusterNotFoundException(Refusal):
    pass


class CloudHsmClusterNotRelatedException(Refusal):
    pass


class CustomKeyStoreHasCMKsException(Refusal):
    pass


class CustomKeyStoreInvalidStateException(Refusal):
    pass


class CustomKeyStoreNameInUseException(Refusal):
    pass


class CustomKeyStoreNotFoundException(Refusal):
    pass


class IncorrectTrustAnchorException(Refusal):
    pass


class XksKeyAlreadyInUseException(Refusal):
    pass


class XksKeyInvalidConfigurationException(Refusal):
    pass


class XksKeyNotFoundException(Refusal):
    pass


class XksProxyIncorrectAuthenticationCredentialException(Refusal):
    pass


class XksProxyInvalidConfigurationException(Refusal):
    pass


class XksProxyInvalidResponseException(Refusal):
    pass


class XksProxyUriEndpointInUseException(Refusal):
    pass


class XksProxyUriInUseException(Refusal):
    pass


class XksProxyUriUnreachableException(Refusal):
    pass


class XksProxyVpcEndpointServiceInUseException(Refusal):
    pass


class XksProxyVpcEndpointServiceNotFoundException(Refusal):
    pass
