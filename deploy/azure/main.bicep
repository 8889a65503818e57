// What lowslow_assets needs in Azure: an account with the export and the lake, an identity for its
// runs with the roles of docs/azure.md and one for their output, and the export itself. Deploy it in
// the resource group of the workspace:
//   az deployment group create -g rg-security -f deploy/azure/main.bicep -p workspace=soc account=soclogs

@description('Name of the Log Analytics workspace with SigninLogs; it is in this resource group.')
param workspace string

@description('Name of the storage account to make: 3 to 24 lower-case letters and digits, unique in Azure.')
@minLength(3)
@maxLength(24)
param account string

@description('Region of the workspace; the export needs the account to be in the same.')
param location string = resourceGroup().location

@description('Tables of the workspace to export, as LOWSLOW_LOGS names them.')
param tables array = [
  'SigninLogs'
]

@description('Days after which the export\'s blobs are deleted. Hunts read the lake only.')
@minValue(14)
param exportDays int = 365

@description('Issuer of the AKS cluster\'s tokens (az aks show --query oidcIssuerProfile.issuerUrl). Empty: no workload identity.')
param issuer string = ''

@description('Namespace and name of the Kubernetes service account, as in deploy/helm/values.yaml.')
param serviceAccount string = 'lowslow:lowslow'

@description('Object ids of people and engines that read the lake\'s tables.')
param readers array = []

// The names of the export's containers.
var exportContainers = [for table in tables: 'am-${toLower(table)}']
var exportPrefixes = [for table in tables: 'am-${toLower(table)}/']
var blobDataReader = subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '2a2b9908-6ea1-4ae2-8e65-a410df84e7d1')
var blobDataContributor = subscriptionResourceId('Microsoft.Authorization/roleDefinitions', 'ba92f5b4-2d11-453d-a403-e96b0029c9fe')

resource logs 'Microsoft.OperationalInsights/workspaces@2022-10-01' existing = {
  name: workspace
}

resource storage 'Microsoft.Storage/storageAccounts@2023-01-01' = {
  name: account
  location: location
  kind: 'StorageV2'
  sku: {
    name: 'Standard_LRS'
  }
  properties: {
    isHnsEnabled: true
    accessTier: 'Hot'
    allowBlobPublicAccess: false
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    defaultToOAuthAuthentication: true
  }
}

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2023-01-01' = {
  parent: storage
  name: 'default'
}

// The export would create them, but the role assignments of readers need them to exist.
resource exported 'Microsoft.Storage/storageAccounts/blobServices/containers@2023-01-01' = [for container in exportContainers: {
  parent: blobs
  name: container
}]

resource lake 'Microsoft.Storage/storageAccounts/blobServices/containers@2023-01-01' = {
  parent: blobs
  name: 'lowslow'
}

// The output of runs that are pods (deploy/helm).
resource printed 'Microsoft.Storage/storageAccounts/blobServices/containers@2023-01-01' = {
  parent: blobs
  name: 'dagster-logs'
}

resource expiry 'Microsoft.Storage/storageAccounts/managementPolicies@2023-01-01' = {
  parent: storage
  name: 'default'
  properties: {
    policy: {
      rules: [
        {
          name: 'export'
          type: 'Lifecycle'
          enabled: true
          definition: {
            filters: {
              blobTypes: [
                'appendBlob'
              ]
              prefixMatch: exportPrefixes
            }
            actions: {
              baseBlob: {
                delete: {
                  daysAfterModificationGreaterThan: exportDays
                }
              }
            }
          }
        }
      ]
    }
  }
}

resource runs 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = {
  name: 'lowslow'
  location: location
}

resource pods 'Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials@2023-01-31' = if (!empty(issuer)) {
  parent: runs
  name: 'aks'
  properties: {
    issuer: issuer
    subject: 'system:serviceaccount:${serviceAccount}'
    audiences: [
      'api://AzureADTokenExchange'
    ]
  }
}

resource readsExport 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for (table, index) in tables: {
  name: guid(exported[index].id, runs.id, blobDataReader)
  scope: exported[index]
  properties: {
    principalId: runs.properties.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: blobDataReader
  }
}]

resource writesLake 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(lake.id, runs.id, blobDataContributor)
  scope: lake
  properties: {
    principalId: runs.properties.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: blobDataContributor
  }
}

resource writesPrinted 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(printed.id, runs.id, blobDataContributor)
  scope: printed
  properties: {
    principalId: runs.properties.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: blobDataContributor
  }
}

resource readsLake 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for reader in readers: {
  name: guid(lake.id, reader, blobDataReader)
  scope: lake
  properties: {
    principalId: reader
    roleDefinitionId: blobDataReader
  }
}]

resource exportRule 'Microsoft.OperationalInsights/workspaces/dataExports@2020-08-01' = {
  parent: logs
  name: 'lowslow-signins'
  properties: {
    destination: {
      resourceId: storage.id
    }
    tableNames: tables
    enable: true
  }
  dependsOn: [
    exported
  ]
}

@description('LOWSLOW_SOURCE, the root of SigninLogs. The export writes the workspace\'s id in lower case.')
output source string = 'abfss://am-signinlogs@${account}.dfs.${environment().suffixes.storage}/WorkspaceResourceId=${toLower(logs.id)}'

@description('LOWSLOW_LAKE.')
output lake string = 'abfss://${lake.name}@${account}.dfs.${environment().suffixes.storage}/lake'

@description('The identity of runs: AZURE_CLIENT_ID on a machine, the service account\'s annotation on AKS.')
output clientId string = runs.properties.clientId

@description('The identity\'s resource id, to give it to a machine (az vm identity assign).')
output identity string = runs.id
